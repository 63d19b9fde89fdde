"""Operators that compute each position by itself, along all axes but those that are named here."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from ...ops.activation import AlongAxis, Glu
from ...ops.arithmetic import Clamp, NumberOrTensor, Pair
from ...ops.axes import front_axes, normalize_axis
from ...ops.base import OpInputs
from ...ops.binary import Lerp
from ...ops.comparison import Where
from ...ops.dense import Bilinear, Dense, Embedding
from ...ops.experts import GroupedLinear
from ...ops.folding import ChannelShuffle
from ...ops.indexing import Gather, IndexSelect, MaskedFill, OneHot
from ...ops.joining import Division, Stack
from ...ops.linear_algebra import CosineSimilarity, Einsum, Matmul
from ...ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LocalResponseNorm, _LastAxesNormalization
from ...ops.pointwise import Pointwise
from ...ops.pooling import _AdaptivePool, _GlobalPool
from ...ops.recurrent_cell import RecurrentCell
from ...ops.reduction import Normalize, Reduction
from ...ops.regularization import Identity, Rrelu, _Dropping
from ...ops.resampling import Upsample
from ...ops.shape import Cast
from ...ops.slicing import Flip, RepeatInterleave, Roll, Tile
from ...ops.sorting import Argsort, Bucketize, Sort, Topk
from ..items import Item, Piece
from ..site import Site
from ..table import mixes, rule
from ..zeros import hides

Axes = frozenset[int]
NONE: Axes = frozenset()


@mixes(MaskedFill, Stack, Bucketize, Rrelu)
def none(op: Any, given: OpInputs, index: int) -> Axes:
    return NONE


@rule(Pointwise, NumberOrTensor, Pair, Clamp, Lerp, Where, Identity, _Dropping, Cast)
def elementwise(site: Site) -> Sequence[Item]:
    """All inputs broadcast; a mask keeps its two axes of positions."""
    if all(x.history is None for x in site.pieces):
        return site.passed(none)
    rank = site.node.outputs[0].type.rank
    hidden = hides(site.op, [isinstance(x, Piece) and x.hides for x in site.items])
    return site.of_pairs([rank - x.value.type.rank for x in site.pieces], hidden)


@rule(Embedding, OneHot)
def looked_up(site: Site) -> Sequence[Item]:
    """A new axis at the end."""
    indices = site.items[0]
    if isinstance(indices, Piece) and indices.history is not None:
        return site.of_pairs([0], False)
    return site.passed(lambda op, given, index: NONE if index == 0 else frozenset(range(given.types[index].rank)))


@mixes(AlongAxis, Glu, Normalize, Division, Topk, Sort, Argsort, CosineSimilarity, Gather)
def one(op: Any, given: OpInputs, index: int) -> Axes:
    return frozenset({normalize_axis(op.name, op.axis, given.types[index])})


@mixes(IndexSelect)
def selected(op: Any, given: OpInputs, index: int) -> Axes:
    return NONE if given.names[index] == "index" else one(op, given, index)


@mixes(Reduction)
def reduced(op: Any, given: OpInputs, index: int) -> Axes:
    return frozenset(op.axes(given.x))


@mixes(Flip)
def flipped(op: Any, given: OpInputs, index: int) -> Axes:
    x = given.types[index]
    return frozenset(range(x.rank) if op.axis is None else front_axes(op.name, op.axis, x))


@mixes(Roll)
def rolled(op: Any, given: OpInputs, index: int) -> Axes:
    return flipped(op, given, index)


@mixes(Tile)
def tiled(op: Any, given: OpInputs, index: int) -> Axes:
    x = given.types[index]
    added = max(len(op.repeats) - x.rank, 0)
    _, repeats = op.aligned(x)
    return frozenset(axis for axis in range(x.rank) if repeats[axis + added] != 1)


@mixes(RepeatInterleave)
def repeated(op: Any, given: OpInputs, index: int) -> Axes:
    x = given.types[index]
    return frozenset(range(x.rank)) if op.axis is None else frozenset({normalize_axis(op.name, op.axis, x)})


@mixes(Dense, Bilinear, RecurrentCell)
def features(op: Any, given: OpInputs, index: int) -> Axes:
    """The last axis of what it computes with; parameters that are given as tensors are mixed whole."""
    type = given.types[index]
    return frozenset(range(type.rank)) if given.names[index] in ("weight", "bias") else frozenset({type.rank - 1})


@mixes(_LastAxesNormalization)
def last_axes(op: Any, given: OpInputs, index: int) -> Axes:
    type = given.types[index]
    if given.names[index] != "x":
        return frozenset(range(type.rank))
    return frozenset(range(type.rank - len(op.normalized(type)), type.rank))


@mixes(GroupedLinear)
def rows(op: Any, given: OpInputs, index: int) -> Axes:
    rank = given.types[index].rank
    return (frozenset({rank - 1}), NONE, frozenset(range(rank)))[index]


@mixes(LocalResponseNorm, ChannelShuffle)
def channels(op: Any, given: OpInputs, index: int) -> Axes:
    return frozenset({1})


@mixes(BatchNorm)
def of_the_batch(op: Any, given: OpInputs, index: int) -> Axes:
    type = given.types[index]
    own = given.names[index] == "x" and op.track_running_stats
    return frozenset({1}) if own else frozenset(range(type.rank))


@mixes(GroupNorm, InstanceNorm)
def of_the_sample(op: Any, given: OpInputs, index: int) -> Axes:
    type = given.types[index]
    return frozenset(range(1, type.rank)) if given.names[index] == "x" else frozenset(range(type.rank))


@mixes(_AdaptivePool, _GlobalPool, Upsample)
def space(op: Any, given: OpInputs, index: int) -> Axes:
    return frozenset(range(2, given.types[index].rank))


@mixes(Matmul)
def summed(op: Any, given: OpInputs, index: int) -> Axes:
    """The axis that is summed over."""
    rank = given.types[index].rank
    return frozenset({rank - 1 if index == 0 or rank == 1 else rank - 2})


@mixes(Einsum)
def not_in_the_result(op: Any, given: OpInputs, index: int) -> Axes:
    equation = op.read(given)
    labels = equation.operands[index]
    return frozenset(axis for axis, label in enumerate(labels) if label not in equation.result or labels.count(label) > 1)


def same_outside(before: tuple[Any, ...], axis: int, after: tuple[Any, ...], other: int) -> bool:
    """Whether as many elements are in front of both axes."""
    return bool(prod_of(before[:axis]) == prod_of(after[:other]))


def prod_of(sizes: tuple[Any, ...]) -> Any:
    return prod(sizes, start=1)
