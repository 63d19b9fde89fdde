"""Bounds of operators that move elements: a result has elements of the input, and sometimes a number that fills gaps.

Where an operator keeps or moves axes, their intervals stay apart. Any other operator merges the intervals of all elements into one.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from ...ops.folding import ChannelShuffle, PixelShuffle, PixelUnshuffle, SlidingWindow
from ...ops.indexing import Gather, IndexSelect, MaskedFill, OneHot, Tril, Triu
from ...ops.joining import Concat, Division, Stack
from ...ops.rearrange import Rearrange
from ...ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze
from ...ops.slicing import Flip, Pad, RepeatInterleave, Roll, Select, Slice, Tile
from ...ops.sorting import Sort, Topk
from ...types.tensor_types import Shape
from ..bound_table import LEAST, UNITS, BoundSite, bound_rule
from ..tensor_bounds import TensorBound, scalar_bound, unknown_bound

Bounds = Sequence[TensorBound]


@bound_rule(Reshape, Flatten, Unflatten, Squeeze, Unsqueeze)
def bound_reshape(site: BoundSite) -> Bounds:
    """Keep the intervals of the last axes, as far as they are the last axes of the result in another form."""
    x, shape = site.x, site.results[0].shape
    full = site.given.types[0].shape
    first = next((axis for axis, size in enumerate(x.low.shape) if size > 1), x.rank)
    kept = _trailing_sizes(full[first:])
    tail = None if kept is None else _find_tail(shape, int(np.prod(kept)))
    if first == x.rank or kept is None or tail is None:
        return (x.merge_all(len(shape)),)
    new_shape = (1,) * (len(shape) - len(tail)) + tail
    ends = [np.broadcast_to(end[(0,) * first], kept).reshape(new_shape) for end in (x.low, x.high)]
    # Rows stay rows only if the last axis stays as it is.
    keeps_rows = tail[-1] == full[-1]
    return (TensorBound(ends[0], ends[1], x.ball if keeps_rows else None, x.row_sum if keeps_rows else None),)


def _trailing_sizes(shape: Shape) -> tuple[int, ...] | None:
    """Return the sizes as plain integers; None if one is only known at run time."""
    return tuple(int(d) for d in shape if isinstance(d, int)) if all(isinstance(d, int) for d in shape) else None


def _find_tail(shape: Shape, count: int) -> tuple[int, ...] | None:
    """Return the last sizes of a shape that have `count` elements together; None if no last sizes have."""
    tail: list[int] = []
    for size in reversed(shape):
        if not isinstance(size, int):
            return None
        tail.insert(0, int(size))
        if int(np.prod(tail)) >= count:
            break
    return tuple(tail) if tail and int(np.prod(tail)) == count else None


def move_axes(x: TensorBound, order: Sequence[int]) -> TensorBound:
    """Permute the axes. Rows stay rows if the last axis stays the last."""
    keeps_rows = order[-1] == x.rank - 1
    return TensorBound(x.low.transpose(order), x.high.transpose(order), x.ball if keeps_rows else None, x.row_sum if keeps_rows else None)


@bound_rule(Permute, Transpose)
def bound_permute(site: BoundSite) -> Bounds:
    order = site.op.axis_order(site.given.types[0])  # type: ignore[attr-defined]
    return (move_axes(site.x, order) if order else site.x,)


@bound_rule(Expand)
def bound_expand(site: BoundSite) -> Bounds:
    x, missing = site.x, site.results[0].rank - site.x.rank
    return (x.map_ends(lambda end: end.reshape((1,) * missing + end.shape)),)


@bound_rule(Concat)
def bound_concat(site: BoundSite) -> Bounds:
    rank = site.results[0].rank
    axis = site.op.args["axis"] % rank
    sizes = [type.shape[axis] for type in site.given.types]
    plain = _trailing_sizes(tuple(sizes))
    varies = any(bound.low.shape[axis] > 1 for bound in site.inputs)
    if plain is None or not (varies or len({(b.low.tobytes(), b.high.tobytes()) for b in site.inputs}) > 1) or sum(plain) > 2**16:
        return (_unite([bound.merge_axes((axis,)) for bound in site.inputs]),)
    return (_join_bounds([_spread_axis(b, axis, size) for b, size in zip(site.inputs, plain, strict=True)], axis),)


@bound_rule(Stack)
def bound_stack(site: BoundSite) -> Bounds:
    axis = site.op.args["axis"] % site.results[0].rank
    return (_join_bounds([_insert_axis(bound, axis) for bound in site.inputs], axis),)


def _insert_axis(x: TensorBound, axis: int) -> TensorBound:
    return x.map_ends(lambda end: np.expand_dims(end, axis))


def _spread_axis(x: TensorBound, axis: int, size: int) -> TensorBound:
    """Repeat the intervals along an axis up to its size."""
    shape = (*x.low.shape[:axis], size, *x.low.shape[axis + 1 :])
    return _broadcast_bound(x, shape)


def _join_bounds(bounds: Sequence[TensorBound], axis: int) -> TensorBound:
    """Concatenate bounds along an axis. Other axes get the largest number of intervals."""
    shapes = [list(bound.low.shape) for bound in bounds]
    common = [max(sizes) for sizes in zip(*shapes, strict=True)]
    parts = [_broadcast_bound(b, (*common[:axis], b.low.shape[axis], *common[axis + 1 :])) for b in bounds]
    return TensorBound(np.concatenate([p.low for p in parts], axis), np.concatenate([p.high for p in parts], axis))


def _broadcast_bound(x: TensorBound, shape: tuple[int, ...]) -> TensorBound:
    return x.map_ends(lambda end: np.broadcast_to(end, shape))


def _unite(bounds: Sequence[TensorBound]) -> TensorBound:
    first, *others = bounds
    for other in others:
        first = first | other
    return first


@bound_rule(Division)
def bound_division(site: BoundSite) -> Bounds:
    axis = site.op.args["axis"] % site.x.rank
    if site.x.low.shape[axis] == 1:
        return (TensorBound(site.x.low, site.x.high),) * len(site.results)
    ends = np.cumsum([type.shape[axis] for type in site.results])
    return tuple(
        site.x.map_ends(partial(np.take, indices=range(int(stop - type.shape[axis]), int(stop)), axis=axis))
        for type, stop in zip(site.results, ends, strict=True)
    )


@bound_rule(Slice)
def bound_slice(site: BoundSite) -> Bounds:
    """Slice the intervals where both ends are known, and merge them otherwise."""
    op: Any = site.op
    axis = op.axis % site.x.rank
    if not all(end is None or isinstance(end, int) for end in (op.start, op.stop)):
        return (site.x.merge_axes((axis,)),)
    index = (slice(None),) * axis + (slice(op.start, op.stop, op.step),)
    return (_take(site.x, axis, index),)


@bound_rule(Select)
def bound_select(site: BoundSite) -> Bounds:
    op: Any = site.op
    axis = op.axis % site.x.rank
    if site.x.low.shape[axis] == 1 or not isinstance(op.index, int):
        return (site.x.merge_axes((axis,), keep=False),)
    return (site.x.map_ends(lambda end: np.take(end, op.index, axis)),)


def _take(x: TensorBound, axis: int, index: tuple[slice, ...]) -> TensorBound:
    """Take a part of the intervals along an axis; all of them if one holds for the axis."""
    return TensorBound(x.low, x.high) if x.low.shape[axis] == 1 else x.map_ends(lambda end: end[index])


@bound_rule(Flip, Roll, Tile, RepeatInterleave, IndexSelect, Sort, Topk)
def bound_moved(site: BoundSite) -> Bounds:
    """Elements move along some axes. Along the others, the intervals stay."""
    axis = site.op.args.get("axis")
    rank = site.x.rank
    axes = (axis,) if isinstance(axis, int) else axis
    if axes is None or not rank or rank != site.results[0].rank:
        return _merge_results(site)
    merged = site.x.merge_axes(tuple({a % rank for a in axes}))
    return (merged, *(unknown_bound(type.rank) for type in site.results[1:]))  # the second result has indices


def _merge_results(site: BoundSite) -> Bounds:
    first, *others = site.results
    return (site.x.merge_all(first.rank), *(unknown_bound(type.rank) for type in others))


@bound_rule(PixelShuffle, PixelUnshuffle, ChannelShuffle, Rearrange, SlidingWindow, Gather)
def bound_shuffled(site: BoundSite) -> Bounds:
    return _merge_results(site)


@bound_rule(Pad)
def bound_pad(site: BoundSite) -> Bounds:
    op: Any = site.op
    merged = site.x.merge_axes(tuple(op.axis_amounts(site.x.rank)))
    return (merged | site.bound_fill(op.value) if op.mode == "constant" else merged,)


@bound_rule(MaskedFill)
def bound_masked_fill(site: BoundSite) -> Bounds:
    value = site.op.args["value"]
    x = site.x
    rank = site.results[0].rank
    filled = x.map_ends(lambda end: end.reshape((1,) * (rank - x.rank) + end.shape)) | site.bound_fill(value)
    return (TensorBound(filled.low, filled.high, row_sum=x.row_sum if value == 0 else None),)


@bound_rule(Tril, Triu)
def bound_triangle(site: BoundSite) -> Bounds:
    return (site.x | scalar_bound(0, 0, site.x.rank),)


@bound_rule(OneHot)
def bound_one_hot(site: BoundSite) -> Bounds:
    return (scalar_bound(0, 1, site.results[0].rank),)


@bound_rule(Cast)
def bound_cast(site: BoundSite) -> Bounds:
    dtype, x = site.results[0].dtype, site.x
    if dtype.name == "bool":
        return (scalar_bound(0, 1, x.rank),)
    if dtype.is_integer:
        return (x.map_ends(np.trunc),)
    source, unit = site.given.types[0].dtype, UNITS[dtype.name]
    is_exact = x.limit <= 1 / unit if not source.is_float else UNITS[source.name] >= unit
    return (x if is_exact else x.widen(2 * unit, LEAST[dtype.name]),)
