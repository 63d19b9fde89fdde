"""Stream operators that compute each position by itself, along all axes except those that they mix.

For example, `dense` over the last axis of `[N, T, 8]` needs nothing from earlier chunks.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from netc.dsl.record import replace

from ...ops.activation import AlongAxis, Glu
from ...ops.arithmetic import Clamp, Mul, NumberOrTensor, Pair
from ...ops.axes import front_axes, normalize_axis
from ...ops.binary import Lerp
from ...ops.comparison import Where
from ...ops.dense import Bilinear, Dense, Embedding
from ...ops.experts import GroupedLinear
from ...ops.folding import ChannelShuffle
from ...ops.indexing import Gather, IndexSelect, MaskedFill, OneHot
from ...ops.joining import Division, Stack
from ...ops.linear_algebra import CosineSimilarity, Einsum, Matmul
from ...ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LocalResponseNorm, _LastAxesNormalization
from ...ops.operator import OpInputs
from ...ops.pointwise import Pointwise
from ...ops.pooling import _AdaptivePool, _GlobalPool
from ...ops.recurrent_cell import RecurrentCell
from ...ops.reduction import Max, Normalize, Reduction, Sum
from ...ops.regularization import Dropping, PassingOn, Rrelu
from ...ops.shape import Cast
from ...ops.slicing import Flip, Roll, Tile
from ...ops.sorting import Argsort, Bucketize, Sort, Topk
from ..items import Chunk, FixedTensor, Item, Number
from ..later import bound_result, is_hidden, is_zero
from ..rule_table import mixes_axes, stream_rule
from ..stream_site import StreamSite

Axes = frozenset[int]
NONE: Axes = frozenset()


@mixes_axes(Stack, Rrelu)
def mix_none(op: Any, inputs: OpInputs, index: int) -> Axes:
    return NONE


@stream_rule(Pointwise, NumberOrTensor, Pair, Clamp, Lerp, Where, MaskedFill, PassingOn, Dropping, Cast, pairs=True)
def stream_elementwise(site: StreamSite) -> Sequence[Item]:
    """Broadcast all inputs. Scores keep their two axes of positions, and two tensors with different ones make scores."""
    from_end = {x.axis - type.rank for x, type in zip(site.items, site.given.types, strict=True) if isinstance(x, Chunk)}
    # Equal axes from the end: the inputs have their positions along one axis after broadcasting.
    if all(x.history is None for x in site.chunks) and len(from_end) == 1:
        return site.pass_through(mix_none)
    later = _bound_pairs(site, [x.later if isinstance(x, Chunk) else None for x in site.items])
    first = _bound_pairs(site, [x.first if isinstance(x, Chunk) else None for x in site.items])
    return site.apply_to_pairs(later, first)


def _bound_pairs(site: StreamSite, known: Sequence[Number | None]) -> Number | None:
    bound = bound_result(site.node.op, known)
    return _bound_scaled_scores(site, known) if bound is None and isinstance(site.node.op, Mul) else bound


def _bound_scaled_scores(site: StreamSite, known: Sequence[Number | None]) -> Number | None:
    """Bound hidden scores that are multiplied by positive numbers that are not too small, such as the slopes of ALiBi."""
    scores = [x for x in known if is_hidden(x)]
    factors = [site.memory.least.get(id(x.step)) for x in site.items if isinstance(x, FixedTensor)]
    if len(scores) != 1 or len(scores) + len(factors) < len(site.items) or len(site.items) < 2 or None in factors:
        return None
    return prod(float(number) for number in (*scores, *factors) if number is not None)


@stream_rule(Embedding, OneHot, pairs=True)
def stream_lookup(site: StreamSite) -> Sequence[Item]:
    """Look up rows, which adds an axis at the end."""
    x = site.items[0]
    if not isinstance(x, Chunk) or x.history is None:
        return site.pass_through(lambda op, given, index: NONE if index == 0 else frozenset(range(given.types[index].rank)))
    if any(isinstance(other, Chunk) for other in site.items[1:]):
        site.refuse("a parameter of it changes with the position")
    value = site.add_operator(site.node.op, x.value, *(site.bring_fixed_tensor(other) for other in site.items[1:]), home=site.home)
    # A looked-up row says nothing about what was looked up, so no bound is left.
    return [replace(x, value=value, later=None, first=None)]


@stream_rule(AlongAxis, pairs=True)
def stream_softmax(site: StreamSite) -> Sequence[Item]:
    """Compute a softmax. Over all positions so far, later ones have a weight of 0 if their scores are hidden."""
    (x,) = site.chunks
    axis = normalize_axis(site.op.name, site.op.axis, site.given.x)
    if x.history is None:
        return site.pass_through(mix_one_axis)
    if axis == x.axis:
        # Whether it looks ahead depends on the axis that later stages sum over, so this is not said to look ahead.
        site.refuse("it runs over the queries, and netc has a rule for a softmax over the keys only")
    later = bound_result(site.node.op, [x.later])
    if axis == x.history and later is None:
        site.refuse_lookahead(reason="the scores of later positions are not known to be hidden")
    if axis == x.history:
        site.check_first_query(x.later, x.first)
    return [replace(x, value=site.add_operator(site.node.op, x.value), later=later if axis == x.history else None, first=None)]


@stream_rule(Matmul, pairs=True)
def stream_matmul(site: StreamSite) -> Sequence[Item]:
    """Multiply queries by keys for scores, sum values by weights, or multiply by anything else."""
    match site.items:
        # Queries are rows and keys are columns: the product of a chunk with all keys so far.
        case (Chunk(history=None) as x, Chunk(history=None) as other) if x.axis == x.rank - 2 and other.axis == other.rank - 1:
            begun = [site.align_to_start(operand, "it is compared with all positions before") for operand in (x, other)]
            value = site.add_operator(site.node.op, begun[0].value, site.append_to_past(begun[1], "keys"))
            return [Chunk(value, value.type.rank - 2, history=value.type.rank - 1)]
        # The last axis of the weights is summed with the values, of which only those so far exist.
        case (Chunk() as x, Chunk(history=None) as other) if (x.axis, x.history, other.axis) == (x.rank - 2, x.rank - 1, other.rank - 2):
            if not is_zero(x.later):
                site.refuse_lookahead(reason="the weights of later positions are not known to be 0")
            values = site.append_to_past(site.align_to_start(other, "it is summed over all positions before"), "values")
            value = site.add_operator(site.node.op, x.value, values)
            return [Chunk(value, value.type.rank - 2, 0, 0)]
    if any(x.history is not None for x in site.chunks):
        site.refuse("two axes of its input are positions")
    return site.pass_through(mix_contracted)


@mixes_axes(Glu, Normalize, Division, Topk, Sort, Argsort, CosineSimilarity, Gather)
def mix_one_axis(op: Any, inputs: OpInputs, index: int) -> Axes:
    return frozenset({normalize_axis(op.name, op.axis, inputs.types[index])})


@mixes_axes(IndexSelect)
def mix_selected(op: Any, inputs: OpInputs, index: int) -> Axes:
    return NONE if inputs.names[index] == "index" else mix_one_axis(op, inputs, index)


@mixes_axes(Reduction)
def mix_reduced(op: Any, inputs: OpInputs, index: int) -> Axes:
    return frozenset(op.reduced_axes(inputs.x))


@stream_rule(Sum, Max, pairs=True)
def stream_key_reduction(site: StreamSite) -> Sequence[Item]:
    """Sum over all positions so far if later elements are 0, or take their maximum if later elements are hidden."""
    (x,) = site.chunks
    axes = site.op.reduced_axes(site.given.x)
    if x.history is None or x.axis in axes:
        return site.pass_through(mix_reduced)
    if x.history not in axes:
        site.refuse("two axes of its input are positions")
    if not (is_zero(x.later) if isinstance(site.op, Sum) else is_hidden(x.later)):
        site.refuse_lookahead(reason=f"the elements of later positions are not known to be {'0' if isinstance(site.op, Sum) else 'hidden'}")
    if isinstance(site.op, Max):
        site.check_first_query(x.later, x.first)
    axis, over = site.find_axis(0)
    return [Chunk(value, axis, 0, over) for value in site.add_with_all_results(site.node.op, [x.value], site.home)]


@mixes_axes(Flip)
def mix_flipped(op: Any, inputs: OpInputs, index: int) -> Axes:
    x = inputs.types[index]
    return frozenset(range(x.rank) if op.axis is None else front_axes(op.name, op.axis, x))


@mixes_axes(Roll)
def mix_rolled(op: Any, inputs: OpInputs, index: int) -> Axes:
    return mix_flipped(op, inputs, index)


@mixes_axes(Tile)
def mix_tiled(op: Any, inputs: OpInputs, index: int) -> Axes:
    x = inputs.types[index]
    added = max(len(op.repeats) - x.rank, 0)
    _, repeats = op.align_repeats(x)
    return frozenset(axis for axis in range(x.rank) if repeats[axis + added] != 1)


@mixes_axes(Dense, Bilinear, RecurrentCell)
def mix_features(op: Any, inputs: OpInputs, index: int) -> Axes:
    """Mix the last axis of tensors, and all axes of parameters that are given as tensors."""
    type = inputs.types[index]
    return frozenset(range(type.rank)) if inputs.names[index] in ("weight", "bias") else frozenset({type.rank - 1})


@mixes_axes(_LastAxesNormalization)
def mix_last_axes(op: Any, inputs: OpInputs, index: int) -> Axes:
    type = inputs.types[index]
    if inputs.names[index] != "x":
        return frozenset(range(type.rank))
    return frozenset(range(type.rank - len(op.normalized_shape(type)), type.rank))


@mixes_axes(Bucketize)
def mix_boundaries(op: Bucketize, inputs: OpInputs, index: int) -> Axes:
    return frozenset(range(inputs.types[index].rank)) if index else NONE


@mixes_axes(GroupedLinear)
def mix_rows(op: GroupedLinear, inputs: OpInputs, index: int) -> Axes:
    rank = inputs.types[index].rank
    return (frozenset({rank - 1}), NONE, frozenset(range(rank)))[index]


@mixes_axes(LocalResponseNorm, ChannelShuffle)
def mix_channels(op: Any, inputs: OpInputs, index: int) -> Axes:
    return frozenset({1})


@mixes_axes(BatchNorm)
def mix_batch_norm(op: BatchNorm, inputs: OpInputs, index: int) -> Axes:
    type = inputs.types[index]
    own_statistics = inputs.names[index] == "x" and op.track_running_stats
    # Running statistics are constants; statistics of the batch would need the whole sequence.
    return frozenset({1}) if own_statistics else frozenset(range(type.rank))


@mixes_axes(GroupNorm, InstanceNorm)
def mix_sample_norm(op: Any, inputs: OpInputs, index: int) -> Axes:
    type = inputs.types[index]
    return frozenset(range(1, type.rank)) if inputs.names[index] == "x" else frozenset(range(type.rank))


@mixes_axes(_AdaptivePool, _GlobalPool)
def mix_spatial(op: Any, inputs: OpInputs, index: int) -> Axes:
    return frozenset(range(2, inputs.types[index].rank))


def mix_contracted(op: Any, inputs: OpInputs, index: int) -> Axes:
    """Mix the axis that is summed over."""
    rank = inputs.types[index].rank
    return frozenset({rank - 1 if index == 0 or rank == 1 else rank - 2})


@mixes_axes(Einsum)
def mix_contracted_labels(op: Einsum, inputs: OpInputs, index: int) -> Axes:
    equation = op.read_equation(inputs)
    labels = equation.operands[index]  # a label of positions occurs once: `derive` refuses an input with two such axes
    return frozenset(axis for axis, label in enumerate(labels) if label not in equation.result)


def has_same_outer_size(before: tuple[Any, ...], axis: int, after: tuple[Any, ...], other: int) -> bool:
    """Whether both axes have the same number of elements in front, so that a reshape keeps the axis."""
    return bool(multiply_sizes(before[:axis]) == multiply_sizes(after[:other]))


def multiply_sizes(sizes: tuple[Any, ...]) -> Any:
    return prod(sizes, start=1)
