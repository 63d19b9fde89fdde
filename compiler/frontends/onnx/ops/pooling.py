"""Imports pooling operators: `GlobalAveragePool` of an image becomes `adaptive_avg_pool 1`."""

from __future__ import annotations

from math import prod
from typing import Any

from ....dims import Dim
from ....ir.graph_values import Value
from ....ops.formula import BinaryFormula, Const, IndexFormula
from ....ops.operator import numel
from ....types.tensor_types import INT64
from ...graph_builder import ImportRefused
from ..importer_site import OnnxSite
from ..importer_table import imports
from ..onnx_padding import WindowGeometry, collapse_equal
from ..onnx_values import Item
from .shape import apply_padding


@imports("MaxPool", to="max_pool, or max_pool and add")
def import_max_pool(site: OnnxSite) -> list[Item]:
    x = site.input()
    frame = WindowGeometry(site, x)
    indexed = len(site.used) > 1 and site.used[1]
    padding, ceil = frame.before, bool(site.get_attr("ceil_mode", 0))
    if not _fits_padding(frame):
        if indexed:
            raise ImportRefused("gives indices, and its padding is not the same on both sides, or more than half of the kernel")
        # Padding must never be the maximum of a window.
        least = float("-inf") if x.type.dtype.is_float else int(x.type.dtype.limits[0])
        sides, ceil = _pad_windows(frame, ceil)
        x, padding = apply_padding(site, x, sides, value=least), (0,) * len(padding)
    arguments: dict[str, Any] = {"padding": collapse_equal(padding), "ceil_mode": ceil}
    results = site.emit.apply_multi_op(
        "max_pool",
        x,
        kernel=collapse_equal(frame.kernel),
        stride=collapse_equal(frame.stride),
        dilation=collapse_equal(frame.dilation),
        **arguments,
    )
    return [results[0], _to_tensor_indices(site, x, results[1]) if indexed else None]


def _to_tensor_indices(site: OnnxSite, x: Value, positions: Value) -> Value:
    """Convert indices within a channel, as netc has them, to ONNX's indices within the whole tensor, which may count columns first."""
    spatial = x.type.shape[2:]
    if site.get_attr("storage_order", 0) and len(spatial) > 1:
        *rows, width = spatial
        if len(rows) > 1:
            raise ImportRefused("gives indices that count columns first, of more than two axes")
        row, column = site.apply_op("floor_div", positions, other=width), site.apply_op("remainder", positions, other=width)
        positions = site.apply_op("add", site.apply_op("mul", column, other=rows[0]), row)
    return site.apply_op("add", positions, _make_channel_offsets(site, x, numel(spatial)))


def _make_channel_offsets(site: OnnxSite, x: Value, size: Dim) -> Value:
    """Make the offsets of the channels in the flat tensor. `size` is the number of elements of a channel."""
    channel = BinaryFormula("+", BinaryFormula("*", IndexFormula(0), Const(x.type.shape[1])), IndexFormula(1))
    return site.emit.make_table((*x.type.shape[:2], *(1 for _ in x.type.shape[2:])), BinaryFormula("*", channel, Const(size)), INT64)


@imports("MaxUnpool", to="max_unpool and sub")
def import_max_unpool(site: OnnxSite) -> Value:
    x, positions = site.input(0), site.input(1)
    frame = WindowGeometry(site, x)
    if not frame.is_even:
        raise ImportRefused("its padding is not the same on both sides")
    sizes = site.require_dims(2, "its shape")[2:] if site.has_input(2) else ()
    arguments: dict[str, Any] = {
        "kernel": collapse_equal(frame.kernel),
        "stride": collapse_equal(frame.stride),
        "padding": collapse_equal(frame.before),
    }
    sides = zip(frame.sizes, frame.stride, frame.before, frame.kernel, strict=True)
    usual = tuple((size - 1) * stride - 2 * before + kernel for size, stride, before, kernel in sides)
    # ONNX's test has positions of the least image, and ONNX Runtime positions of the larger one.
    if sizes and not site.are_equal(sizes, usual):
        raise ImportRefused("gives a shape that is not the least that its windows fit in, of which ONNX and ONNX Runtime differ")
    inside = site.apply_op("sub", positions, _make_channel_offsets(site, x, numel(usual)))
    return site.apply_op("max_unpool", x, inside, **arguments)


def _fits_padding(frame: WindowGeometry) -> bool:
    """Return whether netc's pools accept the padding: equal on both sides, and at most half of the kernel, as in PyTorch."""
    return frame.is_even and all(isinstance(b, int) and 2 * b <= k for b, k in zip(frame.before, frame.kernel, strict=True))


@imports("AveragePool", to="avg_pool, or sliding_window and mean")
def import_average_pool(site: OnnxSite) -> Value:
    x = site.input()
    frame = WindowGeometry(site, x)
    counted = bool(site.get_attr("count_include_pad", 0))
    padding = frame.before
    none = all(b == 0 for b in (*frame.before, *frame.after))
    ceil = bool(site.get_attr("ceil_mode", 0))
    if any(d != 1 for d in frame.dilation):
        return _average_dilated(site, x, frame, counted=counted, ceil=ceil)
    arguments: dict[str, Any] = {"kernel": collapse_equal(frame.kernel), "stride": collapse_equal(frame.stride), "ceil_mode": ceil}
    if none or _fits_padding(frame):
        if not none:
            arguments |= {"padding": collapse_equal(padding), "count_include_pad": counted}
        return site.apply_op("avg_pool", x, **arguments)
    if ceil:
        raise ImportRefused("has `ceil_mode` and padding that is not the same on both sides")
    mean = site.apply_op("avg_pool", apply_padding(site, x, frame.get_sides()), **arguments)
    if counted:
        return mean
    # Where padding does not count, the mean is divided by the share of each window that is inside of the image.
    ones = site.apply_op("add", site.apply_op("mul", x, other=0.0), other=1.0)
    return site.apply_op("div", mean, site.apply_op("avg_pool", apply_padding(site, ones, frame.get_sides()), **arguments))


def _average_dilated(site: OnnxSite, x: Value, frame: WindowGeometry, *, counted: bool, ceil: bool) -> Value:
    """Average over dilated windows, which netc's pools do not have.

    If padding does not count, the means are divided by the share of each window that is inside.
    """
    sides = frame.get_sides()
    longer = _find_overhang(frame) if ceil else {}
    padding = {axis: (before, after + longer.get(axis, 0)) for axis, (before, after) in sides.items()}
    mean = _average_windows(site, apply_padding(site, x, padding), frame)
    if all(side == 0 for both in (sides if counted else padding).values() for side in both) and not any(longer.values()):
        return mean
    ones = site.apply_op("add", site.apply_op("mul", x, other=0.0), other=1.0)
    if counted:
        ones = apply_padding(site, apply_padding(site, ones, sides, value=1.0), {axis: (0, more) for axis, more in longer.items()})
        return site.apply_op("div", mean, _average_windows(site, ones, frame)) if any(longer.values()) else mean
    return site.apply_op("div", mean, _average_windows(site, apply_padding(site, ones, padding), frame))


def _pad_windows(frame: WindowGeometry, ceil: bool) -> tuple[dict[int, tuple[Dim, Dim]], bool]:
    """Return the padding for a pool that gets a padded tensor, and whether the pool still rounds up.

    `ceil_mode` drops a window that begins in the padding after the end. A pool of the padded tensor cannot know where it begins, so windows
    are counted here, unless the padding is too short for a window to begin there.
    """
    sides = frame.get_sides()
    spans = [dilation * (kernel - 1) + 1 for dilation, kernel in zip(frame.dilation, frame.kernel, strict=True)]
    ends = zip(sides.values(), spans, frame.stride, strict=True)
    if not ceil or all(isinstance(after, int) and after <= span - stride for (_, after), span, stride in ends):
        return sides, ceil
    longer = _find_overhang(frame)
    return {axis: (before, after + longer[axis]) for axis, (before, after) in sides.items()}, False


def _find_overhang(frame: WindowGeometry) -> dict[int, Dim]:
    """Return how far the last window reaches beyond the end of each axis. `ceil_mode` keeps a window that begins before the end."""
    result: dict[int, Dim] = {}
    for n, (size, (before, after)) in enumerate(zip(frame.sizes, frame.get_sides().values(), strict=True)):
        span, stride = frame.dilation[n] * (frame.kernel[n] - 1) + 1, frame.stride[n]
        padded = size + before + after
        if not isinstance(padded, int) or not isinstance(size, int) or not isinstance(before, int):
            raise ImportRefused("has `ceil_mode`, and padding or `dilations` that need a size which is not known")
        windows = -(-(padded - span) // stride) + 1
        # A window that would begin in the padding after the end is dropped.
        if (windows - 1) * stride >= size + before:
            windows -= 1
        result[n + 2] = max((windows - 1) * stride + span - padded, 0)
    return result


def _average_windows(site: OnnxSite, x: Value, frame: WindowGeometry) -> Value:
    """Average over windows, axis by axis."""
    for n, (kernel, stride, dilation) in enumerate(zip(frame.kernel, frame.stride, frame.dilation, strict=True)):
        windows = site.apply_op("sliding_window", x, size=dilation * (kernel - 1) + 1, step=stride, axis=n + 2)
        x = site.apply_op("mean", site.apply_op("slice", windows, axis=-1, start=0, step=dilation) if dilation > 1 else windows, axis=-1)
    return x


@imports("LpPool", to="lp_pool, or sliding_window and mean")
def import_lp_pool(site: OnnxSite) -> Value:
    x = site.input()
    frame = WindowGeometry(site, x)
    p = int(site.get_attr("p", 2))
    # A window that reaches beyond the end is a sum of fewer elements. PyTorch's `ceil_mode` scales the sum as if it had all.
    longer = _find_overhang(frame) if site.get_attr("ceil_mode", 0) else {}
    padding = {axis: (before, after + longer.get(axis, 0)) for axis, (before, after) in frame.get_sides().items()}
    if any(d != 1 for d in frame.dilation):
        powers = site.apply_op("pow", site.apply_op("abs", x), other=p)
        means = _average_windows(site, apply_padding(site, powers, padding), frame)
        return site.apply_op("pow", site.apply_op("mul", means, other=prod(frame.kernel)), other=1 / p)
    padded = site.apply_op("abs", apply_padding(site, x, padding))
    return site.apply_op("lp_pool", padded, kernel=collapse_equal(frame.kernel), stride=collapse_equal(frame.stride), p=p)


@imports("GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool", to=("adaptive_avg_pool, or mean", "max", "norm"))
def import_global_pool(site: OnnxSite) -> Value:
    """Pool over all spatial axes, which stay with size 1."""
    x = site.input()
    axes = tuple(range(2, x.type.rank))
    if site.op_type == "GlobalLpPool":
        return site.apply_op("norm", x, p=int(site.get_attr("p", 2)), axis=axes, keepdim=True)
    # Models in PyTorch write this as AdaptiveAvgPool with size 1.
    if x.type.rank in (3, 4, 5) and site.op_type == "GlobalAveragePool":
        return site.apply_op("adaptive_avg_pool", x, size=1)
    if not axes:
        return x
    return site.apply_op("mean" if site.op_type == "GlobalAveragePool" else "max", x, axis=axes, keepdim=True)


@imports("Col2Im", to="fold")
def import_col2im(site: OnnxSite) -> Value:
    size, block = (tuple(site.require_dims(n, "its shape")) for n in (1, 2))
    axes = len(size)
    pads = site.get_ints("pads", [0] * (2 * axes))
    if pads[:axes] != pads[axes:]:
        raise ImportRefused("its padding is not the same on both sides")
    stride, dilation = site.get_ints("strides", [1] * axes), site.get_ints("dilations", [1] * axes)
    return site.apply_op(
        "fold",
        site.input(),
        output_size=size,
        kernel=block,
        stride=collapse_equal(stride),
        dilation=collapse_equal(dilation),
        padding=collapse_equal(pads[:axes]),
    )


@imports("RoiAlign", to="roi_align")
def import_roi_align(site: OnnxSite) -> Value:
    site.require_attr("mode", "avg", default="avg")
    ratio = int(site.get_attr("sampling_ratio", 0))
    if ratio == 0:
        raise ImportRefused("`sampling_ratio=0` makes as many points as the box is large, which netc does not have")
    # The attribute exists since operator set 16. Before, boxes were not shifted by half a pixel.
    aligned = site.get_attr("coordinate_transformation_mode", "half_pixel" if site.version >= 16 else "output_half_pixel") == "half_pixel"
    x, boxes = site.input(0), site.input(1)
    # PyTorch's boxes have the number of their image in front, and ONNX has these numbers in an input of their own.
    batch = site.apply_op("unsqueeze", site.cast(site.input(2), boxes.type.dtype), axis=1)
    size = (int(site.get_attr("output_height", 1)), int(site.get_attr("output_width", 1)))
    rows = site.apply_op("concat", batch, boxes, axis=1)
    return site.apply_op(
        "roi_align", x, rows, size=size, scale=float(site.get_attr("spatial_scale", 1.0)), sampling_ratio=ratio, aligned=aligned
    )
