"""Emit slices, padding and repetition as Slice, Pad and Tile.

>>> import netc
>>> [node.op_type for node in netc.compile("input 6 -> roll 1 axis=1").onnx().graph.node]
['Slice', 'Slice', 'Concat']
"""

from __future__ import annotations

import numpy as np

from ....dims import Dim
from ....ops.axes import normalize_axis
from ....ops.operator import numel
from ....ops.slicing import Flip, Pad, RepeatInterleave, Roll, Select, Slice, Tile
from ....types.tensor_types import INT64, Shape
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, widen_integer
from .shape import reshape_tensor

_END = 2**63 - 1
"""The end of an axis, whatever its size."""
_MODES = {"constant": "constant", "reflect": "reflect", "replicate": "edge", "circular": "wrap"}


def _slice_axis(site: Site, tensor: str, start: Dim, stop: Dim, axis: int, step: int = 1) -> str:
    parts = [site.ints([n]) for n in (start, stop, axis)]
    return site.add("Slice", [tensor, *parts, *([] if step == 1 else [site.ints([step])])])


@emits(Slice, onnx="Slice")
def emit_slice(op: Slice, site: Site) -> str:
    axis = normalize_axis(op.name, op.axis, site.given.x)
    return _slice_axis(site, site.x.name, op.start, _END if op.stop is None else op.stop, axis, op.step)


@emits(Select, onnx="Gather")
def emit_select(op: Select, site: Site) -> str:
    axis = normalize_axis(op.name, op.axis, site.given.x)
    return site.add("Gather", [site.x.name, site.scalar(op.index, INT64)], axis=axis)


@emits(Pad, onnx="Pad")
def emit_pad(op: Pad, site: Site) -> str:
    x = site.given.x
    amounts = {axis: ends for axis, ends in op.axis_amounts(x.rank).items() if ends != (0, 0)}
    via = widen_integer(x.dtype) if amounts else x.dtype
    return TensorExpr(site, _pad_or_crop(op, site, site.x.cast(via), amounts), via).cast(x.dtype).name


def _pad_or_crop(op: Pad, site: Site, x: TensorExpr, amounts: dict[int, tuple[Dim, Dim]]) -> str:
    """Add elements at the ends of these axes, or remove them where an amount is negative. ONNX's Pad accepts negative amounts, but not
    every runtime does, so these become a slice."""
    shape = site.given.x.shape
    split = {axis: [op.split_amount(end, site.given.facts) for end in ends] for axis, ends in amounts.items()}
    more = {axis: (before[0], after[0]) for axis, (before, after) in split.items()}
    less = {axis: (before[1], after[1]) for axis, (before, after) in split.items()}
    # Constant and circular padding look only at what is left after cropping; reflections look at elements that are cropped
    # later.
    if op.mode in ("constant", "circular"):
        return _pad_ends(op, site, TensorExpr(site, _crop_ends(site, x.name, shape, less), x.dtype), more)
    added = {axis: before + after for axis, (before, after) in more.items()}
    padded = tuple(size + added.get(axis, 0) for axis, size in enumerate(shape))
    return _crop_ends(site, _pad_ends(op, site, x, more), padded, less)


def _pad_ends(op: Pad, site: Site, x: TensorExpr, amounts: dict[int, tuple[Dim, Dim]]) -> str:
    amounts = {axis: ends for axis, ends in amounts.items() if ends != (0, 0)}
    if not amounts:
        return x.name
    ends = [amounts.get(axis, (0, 0)) for axis in range(site.given.x.rank)]
    # Amounts for all axes: ONNX Runtime moves a Transpose through Pad as if Pad had no axes (1.31).
    pads = site.ints([before for before, _ in ends] + [after for _, after in ends])
    fill = [site.scalar(op.convert_fill_value(site.given.x.dtype), x.dtype)] if op.mode == "constant" else []
    return site.add("Pad", [x.name, pads, *fill], mode=_MODES[op.mode])


def _crop_ends(site: Site, tensor: str, shape: Shape, amounts: dict[int, tuple[Dim, Dim]]) -> str:
    """Remove elements at the ends. A symbolic amount is subtracted from the size: if it is 0 at run time, `-0` would be an empty slice."""
    for axis, (before, after) in amounts.items():
        if (before, after) != (0, 0):
            stop: Dim = -after if isinstance(after, int) else shape[axis] - after
            tensor = _slice_axis(site, tensor, before, stop if stop != 0 else _END, axis)
    return tensor


@emits(Flip, onnx="Slice")
def emit_flip(op: Flip, site: Site) -> str:
    x = site.given.x
    if x.rank == 0:
        return site.x.name
    axes = [normalize_axis(op.name, axis, x) for axis in op.axis]
    count = len(axes)
    parts = [site.ints(values) for values in ([-1] * count, [-_END] * count, axes, [-1] * count)]
    return site.add("Slice", [site.x.name, *parts])


@emits(Roll, onnx="Slice and Concat")
def emit_roll(op: Roll, site: Site) -> str:
    x = site.given.x
    if op.axis is None:
        if x.rank == 0:
            return site.x.name
        count = numel(x.shape)
        rolled = _roll_axis(site, reshape_tensor(site, site.x.name, x.shape, (count,)), 0, count, op.shifts[0])
        return reshape_tensor(site, rolled, (count,), x.shape)
    tensor = site.x.name
    for shift, axis in zip(op.shifts, op.axis, strict=True):
        front = normalize_axis(op.name, axis, x)
        tensor = _roll_axis(site, tensor, front, x.shape[front], shift)
    return tensor


def _roll_axis(site: Site, tensor: str, axis: int, size: Dim, shift: int) -> str:
    """Roll an axis by two slices if the shift is provably less than the axis, else by Gather."""
    shift = shift % size if isinstance(size, int) else shift
    if shift == 0:
        return tensor
    if site.given.facts.is_at_least(size, abs(shift)):
        ends = [_slice_axis(site, tensor, -shift, _END, axis), _slice_axis(site, tensor, 0, -shift, axis)]
        return site.add("Concat", ends, axis=axis)
    zero, one = (site.constant(np.asarray(n, dtype=np.int64)) for n in (0, 1))
    count = site.scalar(size, INT64)
    indices = site.add("Sub", [site.add("Range", [zero, count, one]), site.constant(np.asarray(shift, dtype=np.int64))])
    return site.add("Gather", [tensor, site.add("Mod", [indices, count])], axis=axis)


@emits(Tile, onnx="Tile")
def emit_tile(op: Tile, site: Site) -> str:
    x = site.given.x
    sizes, repeats = op.align_repeats(x)
    tensor = site.x.name
    if len(sizes) > x.rank:
        tensor = site.add("Unsqueeze", [tensor, site.ints(range(len(sizes) - x.rank))])
    if all(count == 1 for count in repeats):
        return tensor
    return site.add("Tile", [tensor, site.ints(repeats)])


@emits(RepeatInterleave, onnx="Reshape and Expand")
def emit_repeat_interleave(op: RepeatInterleave, site: Site) -> str:
    shape, axis = op.find_repeated_axis(site.given.x)
    repeated = (*shape[: axis + 1], 1, *shape[axis + 1 :])
    y = reshape_tensor(site, site.x.name, site.given.x.shape, repeated)
    repeats = [op.repeats if place == axis + 1 else 1 for place in range(len(repeated))]
    wide = (*shape[: axis + 1], op.repeats, *shape[axis + 1 :])
    return reshape_tensor(site, site.add("Expand", [y, site.ints(repeats)]), wide, site.results[0].shape)
