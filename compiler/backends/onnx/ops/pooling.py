"""Emit pools as MaxPool and AveragePool. Types and windows that these lack are composed of other nodes.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3x8x8 -> max_pool 2 -> global_avg_pool").onnx().graph.node]
['MaxPool', 'ReduceMean']
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from ....ops.operator import numel
from ....ops.pooling import AdaptiveAvgPool, AdaptiveMaxPool, AvgPool, GlobalAvgPool, GlobalMaxPool, LpPool, MaxPool
from ....ops.windows import Window
from ....types.tensor_types import INT64
from ..adaptive_windows import average_by_axis, list_window_positions
from ..nan import reduce_keeping_nan
from ..onnx_emitters import Site, emits
from ..pooling_gather import make_sliding_positions, reduce_windows, reduce_windows_with_positions
from ..tensor_expressions import widen_integer
from ..window_sums import SlidingAxis, count_covered_positions, sum_windows


def _make_attributes(windows: tuple[Window, ...], *, ceil: bool) -> dict[str, object]:
    """Make the attributes of a pool. `ceil`: a window may reach over the end."""
    return {
        "kernel_shape": [w.taps for w in windows],
        "strides": [w.stride for w in windows],
        "pads": [w.before for w in windows] + [w.after for w in windows],
        "ceil_mode": 1 if ceil else None,
    }


_DROPS_LATE_WINDOWS = 22
"""The first opset whose pools drop a window that starts after the input."""


def _make_ceil_attributes(site: Site, op_type: str, windows: tuple[Window, ...], *, ceil: bool, may_pad: bool = True) -> dict[str, object]:
    """Make the attributes of a pool. Padding replaces `ceil_mode` where the device has no kernel for it, and where the opset has other
    windows."""
    sides = list(zip(windows, site.given.x.shape[2:], strict=True))
    # Of windows that are as many either way, none reaches over the end.
    ceil = ceil and any(w.count_windows(size, ceil=True) != w.count_windows(size) for w, size in sides)
    attributes = _make_attributes(windows, ceil=ceil)
    # PyTorch drops a last window that starts after the input. ONNX does so from opset 22 on, and its checker refuses the shape before.
    is_dropped = site.opset < _DROPS_LATE_WINDOWS and any(w.after + w.stride > w.span for w in windows)
    if not ceil or not may_pad or (site.runs_attribute(op_type, "ceil_mode") and not is_dropped):
        return attributes
    # Rounding up is padding by `stride - 1`. Padding by less than a window keeps the last one from starting after the input. With this
    # padding, both formulas of `Window.count_windows` give the same number for all sizes.
    after = [min(w.after + w.stride, w.span) - 1 for w in windows]
    # ONNX Runtime takes less padding than the kernel has elements.
    if any(end >= window.taps for end, window in zip(after, windows, strict=True)):
        return attributes
    return {**attributes, "pads": [w.before for w in windows] + after, "ceil_mode": None}


_WIDE = ("int64", "int32", "int16")
"""The integers for which ONNX has no MaxPool."""


@emits(MaxPool, onnx="MaxPool, or Gather and ReduceMax")
def emit_max_pool(op: MaxPool, site: Site) -> str | tuple[str, ...]:
    x = site.given.x
    windows = op.make_windows(x)
    if x.dtype.name in _WIDE:
        axes = enumerate(zip(windows, x.shape[2:], site.results[0].shape[2:], strict=True), start=2)
        matrices = {axis: make_sliding_positions(site, *sizes) for axis, sizes in axes}
        return reduce_windows(site, matrices) if len(site.results) == 1 else reduce_windows_with_positions(site, matrices)
    attributes = {**_make_ceil_attributes(site, "MaxPool", windows, ceil=op.ceil_mode), "dilations": [w.dilation for w in windows]}
    return _add_max_pool(site, attributes)


def _add_max_pool(site: Site, attributes: dict[str, object]) -> str | tuple[str, ...]:
    if len(site.results) == 1:
        return site.add("MaxPool", site.inputs, **attributes)
    values, indices = site.add_many("MaxPool", site.inputs, 2, **attributes)
    # ONNX counts indices within the whole tensor, PyTorch within the spatial axes.
    return values, site.add("Mod", [indices, site.scalar(numel(site.given.x.shape[2:]), INT64)])


@emits(AvgPool, onnx="AveragePool, or MatMul and Div")
def emit_avg_pool(op: AvgPool, site: Site) -> str:
    windows = op.make_windows(site.given.x)
    if site.given.x.dtype == INT64:
        return _average_integers(op, site)
    if op.divisor_override is not None:
        return _pool_with_divisor(site, windows, ceil=op.ceil_mode, divisor=op.divisor_override)
    padded = any(w.before for w in windows)
    # Padding counts, but the end that a window reaches over does not.
    may_pad = not (op.count_include_pad and padded)
    attributes = _make_ceil_attributes(site, "AveragePool", windows, ceil=op.ceil_mode, may_pad=may_pad)
    return site.add("AveragePool", site.inputs, **attributes, count_include_pad=1 if op.count_include_pad and padded else None)


def _pool_with_divisor(site: Site, windows: tuple[Window, ...], *, ceil: bool, divisor: int) -> str:
    """Divide the sums of windows by `divisor`. All windows are full, because padding counts, so sums follow from means."""
    x = site.given.x
    y, attributes = site.x.name, _make_attributes(windows, ceil=False)
    # With `ceil_mode`, a window may reach over the end. Padding there makes it full.
    if ceil:
        counts = [w.count_windows(size, ceil=True) for w, size in zip(windows, x.shape[2:], strict=True)]
        reach = [(n - 1) * w.stride + w.span for n, w in zip(counts, windows, strict=True)]
        missing = [r - size - w.before for r, size, w in zip(reach, x.shape[2:], windows, strict=True)]
        y = site.add("Pad", [y, site.ints([0, 0, *(w.before for w in windows), 0, 0, *missing])])
        attributes["pads"] = None
    means = site.add("AveragePool", [y], **attributes, count_include_pad=1)
    return site.add("Mul", [means, site.scalar(prod(w.taps for w in windows) / divisor, x.dtype)])


def _average_integers(op: AvgPool, site: Site) -> str:
    """Average integers, dividing towards 0, as PyTorch does."""
    x = site.given.x
    sides = zip(op.make_windows(x), x.shape[2:], site.results[0].shape[2:], strict=True)
    slides = [(axis, SlidingAxis(site, *side)) for axis, side in enumerate(sides, start=2)]
    total = sum_windows(site, site.x.name, x.rank, slides)
    if op.divisor_override is not None:
        return (total / op.divisor_override).name
    return (total / count_covered_positions(site, x.rank, slides, padding=op.count_include_pad)).name


@emits(LpPool, onnx="Pow, AveragePool, Mul and Pow")
def emit_lp_pool(op: LpPool, site: Site) -> str:
    x = site.results[0]
    windows = op.make_windows(site.given.x)
    # LpPool takes absolute values first, and counts a window over the end differently. It has no kernel on CUDA.
    powers = site.add("Pow", [site.x.cast(x.dtype).name, site.scalar(op.p, x.dtype)])
    means = site.add("AveragePool", [powers], **_make_ceil_attributes(site, "AveragePool", windows, ceil=op.ceil_mode))
    sums = site.add("Mul", [means, site.scalar(prod(w.taps for w in windows), x.dtype)])
    return site.add("Pow", [sums, site.scalar(1 / op.p, x.dtype)])


def _find_equal_windows(site: Site, counts: Sequence[int]) -> dict[str, object] | None:
    """Return the windows of an adaptive pool as attributes, if they are known, equal and adjacent."""
    steps = []
    for size, count in zip(site.given.x.shape[2:], counts, strict=True):
        if not isinstance(size, int) or size % count:
            return None
        steps.append(size // count)
    return {"kernel_shape": steps, "strides": steps}


@emits(AdaptiveAvgPool, onnx="GlobalAveragePool, AveragePool, or Gather and ReduceMean")
def emit_adaptive_avg_pool(op: AdaptiveAvgPool, site: Site) -> str:
    counts = op.result_sizes(site.given.x)
    if set(counts) == {1}:
        return site.add("GlobalAveragePool", site.inputs)
    steps = _find_equal_windows(site, counts)
    return average_by_axis(site, counts) if steps is None else site.add("AveragePool", site.inputs, **steps)


@emits(AdaptiveMaxPool, onnx="MaxPool, or Gather, ReduceMax, IsNaN and Where")
def emit_adaptive_max_pool(op: AdaptiveMaxPool, site: Site) -> str | tuple[str, ...]:
    counts = op.result_sizes(site.given.x)
    if set(counts) == {1} and len(site.results) == 1:
        return _reduce_maximum(site, keepdims=True)
    steps = _find_equal_windows(site, counts)
    if steps is not None:
        return _add_max_pool(site, steps)
    matrices = list_window_positions(site, counts)
    return reduce_windows(site, matrices) if len(site.results) == 1 else reduce_windows_with_positions(site, matrices)


@emits(GlobalAvgPool, onnx="ReduceMean")
def emit_global_avg_pool(op: GlobalAvgPool, site: Site) -> str:
    return site.add("ReduceMean", [site.x.name, site.ints(range(2, site.given.x.rank))], keepdims=0)


@emits(GlobalMaxPool, onnx="ReduceMax, IsNaN and Where")
def emit_global_max_pool(op: GlobalMaxPool, site: Site) -> str:
    return _reduce_maximum(site, keepdims=False)


def _reduce_maximum(site: Site, *, keepdims: bool) -> str:
    x, axes = site.x, range(2, site.given.x.rank)
    return x.within(widen_integer(x.dtype), lambda y: reduce_keeping_nan(y, "ReduceMax", axes, keepdims=keepdims)).name
