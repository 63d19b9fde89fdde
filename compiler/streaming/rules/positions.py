"""Stream operators that depend on the position: tables over positions, and rotary embeddings.

For example, after 5 positions the table `table (t) [T] = t` gives 5, 6 for a chunk of 2.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.record import replace

from ...dims import Dim
from ...ir.graph_values import Value
from ...ops.constants import ParamOperator, TableOperator
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula, substitute_indices
from ...ops.indexing import Tril, Triu
from ...ops.operator import Operator
from ...ops.rotary import Rotary
from ...types.tensor_types import INT64
from ..causal_masks import PairFormula
from ..items import Chunk, Item, Number
from ..later import is_zero
from ..padded_streams import PaddingMask
from ..rule_table import stream_rule
from ..stream_lengths import iterate_sizes
from ..stream_site import StreamSite


@stream_rule(TableOperator)
def stream_table(site: StreamSite) -> Sequence[Item]:
    op, length = site.op, site.length
    if any(length.occurs_in(size) for size in iterate_sizes(op.formula)):
        site.refuse(f"its formula depends on the length of the whole, `{length.name}`")
    axes = length.list_axes(site.node.outputs[0].type)
    if len(axes) == 2 and site.memory.padding is not None:
        site.refuse("with padding, a table cannot have two axes of positions", "write `causal=true` for a mask of later keys")
    if len(axes) == 2 and all(op.shape[axis] == length.whole for axis in axes):
        return [_make_pair_table(site, axes[0], axes[1])]
    axis, over = site.find_axis(0)
    if site.memory.padding is not None:
        return [_number_sample_positions(site, site.memory.padding)]
    shape = (*op.shape[:axis], length.chunk, *op.shape[axis + 1 :])
    # A table depends on no input, so it is as far ahead as it can be, and `before` has its first `over` rows.
    value = site.add_operator(site.change_arguments(shape=shape, formula=shift_formula(op.formula, axis, length.past + over)))
    before: Value | None = None
    if over > 0:
        before = site.add_operator(site.change_arguments(shape=(*op.shape[:axis], over, *op.shape[axis + 1 :])))
    return [Chunk(value, axis, over, over, before)]


def _number_sample_positions(site: StreamSite, padding: PaddingMask) -> Chunk:
    """Number the positions of each sample, where the model has the same numbers for all."""
    op = site.op
    if op.formula != IndexFormula(0) or op.shape != (site.length.whole,) or op.element_type != INT64:
        site.refuse("with padding, a table over positions must be the positions themselves")
    return Chunk(padding.number_positions(), 0)


def _make_pair_table(site: StreamSite, axis: int, history: int) -> Chunk:
    """Make a table over positions of the chunk and all positions so far. The first of the two axes is the chunk's."""
    op, length = site.op, site.length
    sizes = list(op.shape)
    sizes[axis], sizes[history] = length.chunk, length.past + length.chunk
    value = site.add_operator(site.change_arguments(shape=tuple(sizes), formula=shift_formula(op.formula, axis, length.past)))
    pairs = PairFormula(op.formula, op.shape, axis, history, op.element_type)
    site.memory.pairs[id(value)] = pairs
    return Chunk(value, axis, history=history, later=pairs.bound_later(length.rate), first=pairs.bound_first(length.rate))


def shift_formula(formula: Formula, axis: int, by: Dim) -> Formula:
    """Shift the formula along the axis."""
    return formula if by == 0 else substitute_indices(formula, {axis: BinaryFormula("+", IndexFormula(axis), Const(by))})


@stream_rule(Tril, Triu, pairs=True)
def stream_triangle(site: StreamSite) -> Sequence[Item]:
    """Keep a triangle: which elements it has depends on the positions before the chunk."""
    (x,) = site.chunks
    rank, past = x.rank, site.length.past
    if x.history is not None:
        if {x.axis, x.history} != {rank - 2, rank - 1}:
            site.refuse("the axes of its triangle are not queries and keys")
        value = site.add_operator(_move_diagonal(site, past if x.axis == rank - 2 else -past), x.value)
        later = _bound_triangle(site.op, x)
        site.note_mask(later)
        return [replace(x, value=value, later=later, first=_bound_own_key(site, x))]
    if x.axis < rank - 2:
        return site.apply_elementwise()
    sign = 1 if x.axis == rank - 2 else -1
    before = site.add_operator(site.node.op, site.make_before(x)) if x.ahead > 0 else None
    value = site.add_operator(_move_diagonal(site, sign * (past + x.ahead)), x.value)
    return [site.make_result(0, value, [x], before)]


def _move_diagonal(site: StreamSite, by: Dim) -> Operator:
    return site.change_arguments(diagonal=site.op.diagonal + by)


def _bound_triangle(op: Tril | Triu, x: Chunk) -> Number | None:
    """Bound the later elements of a triangle: all of them are 0, or all stay as they are, or some of each."""
    if is_zero(x.later):
        return x.later
    diagonal = op.diagonal
    if not isinstance(diagonal, int):
        return None
    # Where keys are columns, a lower triangle has no later keys; where keys are rows, an upper one.
    sign, remover = (1, Tril) if x.axis == x.rank - 2 else (-1, Triu)
    if isinstance(op, remover):
        return 0.0 if sign * diagonal <= 0 else None
    return x.later if sign * diagonal <= 1 else None


def _bound_own_key(site: StreamSite, x: Chunk) -> Number | None:
    """Bound the first query's own element of a triangle, which is on the diagonal."""
    diagonal = site.op.diagonal
    if site.length.rate > 1 or not isinstance(diagonal, int):
        return None
    return x.first if diagonal == 0 or (diagonal > 0) == isinstance(site.op, Tril) else 0.0


@stream_rule(Rotary)
def stream_rotary(site: StreamSite) -> Sequence[Item]:
    x = site.items[0]
    rank = site.given.x.rank
    if isinstance(x, Chunk) and len(site.items) == 1 and x.axis == rank - 2:
        return [_rotate_chunk(site, x)]
    return site.pass_through(
        lambda op, given, index: frozenset({given.types[index].rank - 1}) if given.names[index] == "x" else frozenset()
    )


def _rotate_chunk(site: StreamSite, x: Chunk) -> Chunk:
    def make_positions(size: Dim, first: Dim) -> Value:
        formula = shift_formula(IndexFormula(0), 0, first)
        return site.add_operator(TableOperator(indices=("t",), shape=(size,), formula=formula))

    op: Operator = site.node.op
    # With padding, each sample has positions of its own, which only the operator's second input can give.
    if site.memory.padding is not None:
        return site.make_result(0, site.add_operator(op, x.value, site.memory.padding.number_positions(), home=site.home), [x])
    value = site.add_operator(op, x.value, make_positions(site.length.chunk, site.length.past + x.ahead), home=site.home)
    before = site.add_operator(op, site.make_before(x), make_positions(x.ahead, 0)) if x.ahead > 0 else None
    return site.make_result(0, value, [x], before)


@stream_rule(ParamOperator)
def refuse_parameter(site: StreamSite) -> Sequence[Item]:
    site.refuse("its size depends on the length of the whole")
