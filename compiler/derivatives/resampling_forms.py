"""Resizing as products with matrices, one along each axis, for its derivative.

>>> import netc
>>> (node,) = netc.compile("input 3x8 -> adaptive_avg_pool 4").program.main.nodes
>>> write_adaptive_avg_pool(node)
'x -> reshape [x.shape[0], x.shape[1], 4, x.shape[2] // 4] -> mean axis=[3]'
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

from ..dims import SymDim
from ..ir.graph import OpNode
from ..ops.pooling import AdaptiveAvgPool
from ..ops.resampling import Stretch, Upsample


def write_adaptive_avg_pool(node: OpNode) -> str:
    """Means of blocks, where the windows do not overlap."""
    x = node.inputs[0].type
    counts = cast(AdaptiveAvgPool, node.op).result_sizes(x)
    shape, axes = ["x.shape[0]", "x.shape[1]"], list[int]()
    for axis, (size, count) in enumerate(zip(x.shape[2:], counts, strict=True), start=2):
        if count != 1 and not (isinstance(size, int) and size % count == 0):
            return _write_products([(f"x.shape[{a}]", str(n), _MEAN) for a, n in enumerate(counts, start=2)])
        axes.append(len(shape) + 1)
        shape += [str(count), f"x.shape[{axis}] // {count}"]
    return f"x -> reshape [{', '.join(shape)}] -> mean axis={axes}"


def write_upsample(node: OpNode) -> str:
    """The formulas of torch.nn.functional.interpolate. The formulas for `antialias` are left out."""
    op = cast(Upsample, node.op)
    if op.antialias:
        return ""
    stretches = op.make_stretches(node.inputs[0].type)
    leaves = op.leaves_axes(len(stretches))
    return _write_products([_write_axis(op, axis, stretch, leaves) for axis, stretch in enumerate(stretches, start=2)])


_BEGIN, _END = "(i * {size} // max(1, {count}))", "(((i + 1) * {size} + {count} - 1) // max(1, {count}))"
_MEAN = f"where(j >= {_BEGIN} and j < {_END}, 1 / max(1, {_END} - {_BEGIN}), 0.0)"
_NEAREST = "where(j == min({size} - 1, floor({place})), 1.0, 0.0)"
_LINEAR = "max(0.0, 1 - abs(j - min({size} - 1, max(0.0, {place}))))"


def _write_cubic() -> str:
    """The four weights of Keys' kernel with -0.75, each at its tap within the axis."""
    terms = []
    for tap in (-1, 0, 1, 2):
        distance = f"abs({{place}} - floor({{place}}) - ({tap}))"
        near = f"((1.25 * {distance} - 2.25) * {distance} * {distance} + 1)"
        far = f"(((-0.75 * {distance} + 3.75) * {distance} - 6) * {distance} + 3)"
        at = f"max(0, min({{size}} - 1, floor({{place}}) + ({tap})))"
        terms.append(f"where(j == {at}, {near if tap in (0, 1) else far}, 0.0)")
    return " + ".join(terms)


_WEIGHTS = {"area": _MEAN, "nearest": _NEAREST, "nearest-exact": _NEAREST, "bicubic": _write_cubic()}


def _write_axis(op: Upsample, axis: int, stretch: Stretch, leaves: bool) -> tuple[str, str, str]:
    """The sizes of one axis, and the formula of the weight of element `j` of the input in element `i` of the result. `leaves`: an axis
    stays as it is if its size does."""
    size, count = f"x.shape[{axis}]", _write_count(op, axis, stretch)
    ratio = f"{size} / {count}" if stretch.scale is None else repr(1 / stretch.scale)
    if op.mode in ("nearest", "nearest-exact"):
        # PyTorch rounds to float32 on the way, which decides between neighbors.
        step = f"float32({ratio})"
        place = f"float32({step} * i)" if op.mode == "nearest" else f"float32(float32({step} * (i + 0.5) - 0.5) + 0.5)"
    elif op.align_corners:
        place = f"(i * ({size} - 1) / max(1, {count} - 1))"
    else:
        place = f"((i + 0.5) * ({ratio}) - 0.5)"
    if leaves and stretch.may_stay:
        place = f"where({size} == {count}, i, {place})"
    return size, count, _WEIGHTS.get(op.mode, _LINEAR).replace("{place}", place)


def _write_count(op: Upsample, axis: int, stretch: Stretch) -> str:
    """The size of the result, by an argument or by the size of the input."""
    if op.size is not None:
        return f"size[{axis - 2 if len(op.size) > 1 else 0}]"
    if isinstance(stretch.result, int):
        return str(stretch.result)
    scale = cast(tuple[float, ...], op.scale)
    numerator, denominator = op.scale_fraction(cast(SymDim, stretch.size), scale[axis - 2 if len(scale) > 1 else 0]).as_integer_ratio()
    return f"(x.shape[{axis}] * {numerator} // {denominator})"


def _write_products(axes: Sequence[tuple[str, str, str]]) -> str:
    """Multiply each spatial axis by a matrix."""
    lines = ["y1 = x"]
    for axis, (size, count, formula) in enumerate(axes, start=2):
        weight = formula.format(size=size, count=count)
        lines.append(f"weights{axis} = table (j, i) [{size}, {count}] = {weight}")
        lines.append(f"y{axis} = (y{axis - 1} -> transpose {axis} (-1)) @ (weights{axis} -> cast x.dtype) -> transpose {axis} (-1)")
    return "\n".join([*lines, f"identity(y{len(axes) + 1})"])
