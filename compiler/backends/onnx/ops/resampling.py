"""Emit resampling as Resize and GridSample where these compute what PyTorch computes, and compose it otherwise.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3x4x4 -> upsample scale=2").onnx().graph.node]
['Resize']
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ....ops.resampling import GridSample, Stretch, Upsample
from ....types.numpy_types import numpy_dtype
from ..adaptive_windows import average_by_axis, sum_weighted
from ..antialias import make_weight_table
from ..nearest_positions import emit_positions, matches_resize
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr
from ..unsupported_in_onnx import UnsupportedInOnnx

_RESIZE_TYPES = ("float32", "float16", "uint8")
"""The element types for which ONNX Runtime has Resize. Lookups work for every type."""
_NEAREST = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
_NEAREST_EXACT = {"mode": "nearest", "coordinate_transformation_mode": "half_pixel", "nearest_mode": "round_prefer_ceil"}


@emits(Upsample, onnx="Resize, AveragePool, or Gather and sums")
def emit_upsample(op: Upsample, site: Site) -> str:
    stretches = op.make_stretches(site.given.x)
    if op.mode == "area":
        return _emit_area(site, stretches)
    if op.mode in ("nearest", "nearest-exact"):
        return _emit_nearest(site, stretches, exact=op.mode == "nearest-exact", leaves=op.leaves_axes(len(stretches)))
    if not site.given.x.dtype.is_float:
        raise UnsupportedInOnnx(
            op.name, "PyTorch weighs uint8 in rounded steps, otherwise on each device; `-> cast float32` before is the same everywhere"
        )
    if op.antialias and (op.align_corners or op.mode == "lanczos"):
        return _emit_antialias(op, site, stretches)
    cubic = op.mode == "bicubic"
    if not op.align_corners and not op.antialias:
        _require_growth(op, stretches)
    return _emit_resize(
        site,
        stretches,
        mode="cubic" if cubic else "linear",
        coordinate_transformation_mode="align_corners" if op.align_corners else "half_pixel",
        # With `antialias`, PyTorch uses Pillow's cubic, and gives no weight to positions outside.
        cubic_coeff_a=-0.5 if cubic and op.antialias else None,
        antialias=1 if op.antialias else None,
        exclude_outside=1 if op.antialias else None,
    )


def _require_growth(op: Upsample, stretches: Sequence[Stretch]) -> None:
    """Refuse an axis whose size may stay, unless PyTorch and runtimes treat it alike: they leave the only axis alone for linear weights."""
    cubic = op.mode == "bicubic"
    if not any(s.may_stay for s in stretches) or (len(stretches) == 1 and not cubic):
        return
    leave, stretch = ("runtimes leave", "PyTorch stretches") if cubic else ("PyTorch leaves", "runtimes stretch")
    raise UnsupportedInOnnx(
        op.name,
        f"{leave} an axis alone whose size stays the same when it is rounded down, {stretch} it by the scale; "
        "sizes that are larger, or known by a `where` to be, are fine",
    )


def _emit_resize(site: Site, stretches: Sequence[Stretch], **attributes: object) -> str:
    axes = list(range(2, 2 + len(stretches)))
    if all(s.scale is None for s in stretches) or attributes["coordinate_transformation_mode"] == "align_corners":
        return site.add("Resize", [site.x.name, "", "", site.ints([s.result for s in stretches])], axes=axes, **attributes)
    # as Python floats: NumPy would round the scale to float32 before it compares
    if any(s.scale is not None and not isinstance(s.size, int) and float(np.float32(s.scale)) != s.scale for s in stretches):
        raise UnsupportedInOnnx(
            site.node.op.name,
            "of a size known only at run time, runtimes compute the result in float32, which cannot represent this `scale` exactly; "
            "`recompute_scale_factor=true` would do without",
        )
    scales = np.array([_adjust_scale(s) for s in stretches], dtype=np.float32)
    return site.add("Resize", [site.x.name, "", site.constant(scales)], axes=axes, **attributes)


def _emit_antialias(op: Upsample, site: Site, stretches: Sequence[Stretch]) -> str:
    x = site.given.x
    if not all(isinstance(s.size, int) and isinstance(s.result, int) for s in stretches):
        mode = "`mode=lanczos`" if op.mode == "lanczos" else "`antialias` with `align_corners`"
        raise UnsupportedInOnnx(op.name, f"{mode} needs sizes that are known")
    y = site.x.name
    for axis, stretch in reversed(list(enumerate(stretches, start=2))):
        if stretch.size != stretch.result:
            weights = make_weight_table(stretch, op.mode, align_corners=bool(op.align_corners), dtype=numpy_dtype(x.dtype))
            y = sum_weighted(site, y, axis, x.rank, weights)
    return y


def _adjust_scale(stretch: Stretch) -> np.float32:
    """Return the scale in float32, slightly changed if its product with a known size would round down to another size than PyTorch's."""
    assert stretch.scale is not None
    factor, size, result = np.float32(stretch.scale), stretch.size, stretch.result
    if isinstance(size, int) and isinstance(result, int):
        while int(np.float32(size) * factor) < result:
            factor = np.nextafter(factor, np.float32(np.inf))
        while int(np.float32(size) * factor) > result:
            factor = np.nextafter(factor, np.float32(0))
    return factor


def _emit_nearest(site: Site, stretches: Sequence[Stretch], *, exact: bool, leaves: bool) -> str:
    if site.given.x.dtype.name in _RESIZE_TYPES and all(matches_resize(s, exact=exact) for s in stretches):
        return _emit_resize(site, stretches, **(_NEAREST_EXACT if exact else _NEAREST))
    y = site.x.name
    for axis, stretch in enumerate(stretches, start=2):
        if stretch.size != stretch.result or stretch.may_stay:
            y = site.add("Gather", [y, emit_positions(site, stretch, exact=exact, leaves=leaves)], axis=axis)
    return y


def _emit_area(site: Site, stretches: Sequence[Stretch]) -> str:
    """Average the elements that each element of the result covers: whole blocks if these are adjacent."""
    facts = site.given.facts
    blocks = [facts.exact_div(s.size, s.result) for s in stretches]
    known = [block for block in blocks if isinstance(block, int)]
    if len(known) == len(blocks):
        return site.add("AveragePool", site.inputs, kernel_shape=known, strides=known)
    return average_by_axis(site, [s.result for s in stretches])


@emits(GridSample, onnx="GridSample")
def emit_grid_sample(op: GridSample, site: Site) -> str:
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(op.mode, op.mode)
    grid, padding = site.grid, op.padding_mode
    if (op.mode, padding, op.align_corners) == ("nearest", "reflection", False):
        # ONNX Runtime rounds before it reflects, which differs exactly between two elements.
        grid, padding = _reflect_grid(grid), "border"
    return site.add("GridSample", [site.x.name, grid.name], mode=mode, padding_mode=padding, align_corners=int(op.align_corners))


def _reflect_grid(grid: TensorExpr) -> TensorExpr:
    """Reflect positions into the range from -1 to 1."""
    ahead = grid + 1.0
    return -abs(ahead - (ahead / 4.0).op("Floor") * 4.0 - 2.0) + 1.0
