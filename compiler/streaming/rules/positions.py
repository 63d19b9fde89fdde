"""Operators that know the position: tables over positions, and rotary embeddings."""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import Dim
from ...ir.graph_values import Value
from ...ops.constants import ParamOperator, TableOperator
from ...ops.formula import BinaryFormula, Const, Formula, IndexFormula, substitute_indices
from ...ops.operator import Operator
from ...ops.rotary import Rotary
from ...types.tensor_types import INT64
from ..causal_masks import later_in
from ..items import Item, Piece
from ..padded_streams import Padding
from ..rule_table import rule
from ..stream_lengths import sizes_in
from ..stream_site import Site


@rule(TableOperator)
def table(site: Site) -> Sequence[Item]:
    op, length = site.op, site.length
    if any(length.has(size) for size in sizes_in(op.formula)):
        site.refuse(f"its formula depends on the length of the whole, `{length.name}`")
    axes = length.axes(site.node.outputs[0].type)
    if len(axes) == 2 and site.memory.padding is not None:
        site.refuse("with padding, a table cannot have two axes of positions", "write `causal=true` for a mask of later keys")
    if len(axes) == 2 and all(op.shape[axis] == length.whole for axis in axes):
        return [_of_pairs(site, axes[0], axes[1])]
    axis, over = site.axis_of(0)
    if site.memory.padding is not None:
        return [_numbers(site, site.memory.padding)]
    shape = (*op.shape[:axis], length.piece, *op.shape[axis + 1 :])
    value = site.put(site.changed(shape=shape, formula=moved(op.formula, axis, length.past + over)))
    before: Value | None = None
    if over > 0:
        before = site.put(site.changed(shape=(*op.shape[:axis], over, *op.shape[axis + 1 :])))
    return [Piece(value, axis, over, over, before)]


def _numbers(site: Site, padding: Padding) -> Piece:
    """The positions of each sample, where the whole has the same for all."""
    op = site.op
    if op.formula != IndexFormula(0) or op.shape != (site.length.whole,) or op.element_type != INT64:
        site.refuse("with padding, a table over positions must be the positions themselves")
    return Piece(padding.positions(), 0)


def _of_pairs(site: Site, axis: int, history: int) -> Piece:
    """A table of positions and of those so far: the first axis is that of the piece."""
    op, length = site.op, site.length
    sizes = list(op.shape)
    sizes[axis], sizes[history] = length.piece, length.past + length.piece
    value = site.put(site.changed(shape=tuple(sizes), formula=moved(op.formula, axis, length.past)))
    return Piece(value, axis, history=history, later=later_in(op.formula, op.shape, axis, history, op.element_type))


def moved(formula: Formula, axis: int, by: Dim) -> Formula:
    """The formula of what is further along the axis."""
    return formula if by == 0 else substitute_indices(formula, {axis: BinaryFormula("+", IndexFormula(axis), Const(by))})


@rule(Rotary)
def rotary(site: Site) -> Sequence[Item]:
    x = site.items[0]
    rank = site.given.x.rank
    if isinstance(x, Piece) and len(site.items) == 1 and x.axis == rank - 2:
        return [_rotated(site, x)]
    return site.passed(lambda op, given, index: frozenset({given.types[index].rank - 1}) if given.names[index] == "x" else frozenset())


def _rotated(site: Site, x: Piece) -> Piece:
    def at(size: Dim, first: Dim) -> Value:
        formula = moved(IndexFormula(0), 0, first)
        return site.put(TableOperator(indices=("t",), shape=(size,), formula=formula))

    op: Operator = site.node.op
    if site.memory.padding is not None:
        return site.result(0, site.put(op, x.value, site.memory.padding.positions(), home=site.home), [x])
    value = site.put(op, x.value, at(site.length.piece, site.length.past + x.ahead), home=site.home)
    before = site.put(op, site.before(x), at(x.ahead, 0)) if x.ahead > 0 else None
    return site.result(0, value, [x], before)


@rule(ParamOperator)
def parameter(site: Site) -> Sequence[Item]:
    site.refuse("its size depends on the length of the whole")
