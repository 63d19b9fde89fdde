"""Tables that are computed of other tables: one formula says it, `j <= i` for positions that are compared.

In: a view of a graph, and a node whose inputs are tables. Out: nothing; the node is a table if a formula of integers and booleans says what
it computes. Always: the formula has the same value for each element, so that nothing is rounded otherwise.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...dims import SymDim
from ...ir.graph import Node, OpNode, Value
from ...ir.types import BOOL, INT64
from ...ops.arithmetic import Maximum, Minimum
from ...ops.bitwise import BitwiseAnd, BitwiseNot, BitwiseOr
from ...ops.comparison import LogicalAnd, LogicalOr
from ...ops.constants import TableOperator
from ...ops.elementwise import Abs, LogicalNot, Neg
from ...ops.formula import (
    COMPARISONS,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    UnaryFormula,
    interval,
    kind_of,
    operands,
    parts,
    stored_in,
    with_operands,
)
from ...ops.shape import Unsqueeze
from .view import GraphView

_NAMES = "ijklmn"
_LONGEST = 24
"""The most parts of a formula that is easier to read than operators are."""


def composed(view: GraphView, node: Node) -> None:
    """The table that the node computes of tables."""
    if not isinstance(node, OpNode) or len(node.outputs) != 1 or node.label:
        return
    result = node.outputs[0].type
    if result.dtype not in (BOOL, INT64) or result.rank > len(_NAMES):
        return
    tables = [_table(view, value) for value in node.inputs]
    found = [table for table in tables if table is not None]
    if not found or len(found) < len(tables):
        return
    formula = _formula(node, found)
    if formula is None or sum(1 for _ in parts(formula)) > _LONGEST:
        return
    made = _decided(formula, result.shape)
    dtype = INT64 if result.dtype == INT64 and kind_of(made, result.shape) != "int" else None
    view.put(node, TableOperator(indices=tuple(_NAMES[: result.rank]), shape=result.shape, formula=made, dtype=dtype, labelled=False), ())


def _table(view: GraphView, value: Value) -> TableOperator | None:
    """The table that a tensor is, if its elements are what its formula gives."""
    node = view.made_by(value, TableOperator)
    if node is None or not isinstance(node.op, TableOperator):
        return None
    op = node.op
    exact = op.dtype is None or {"bool": BOOL, "int": INT64}.get(kind_of(op.formula, op.shape)) == op.dtype
    return op if exact and not op.labelled and stored_in(op.formula) is None and op.element in (BOOL, INT64) else None


def _formula(node: OpNode, tables: Sequence[TableOperator]) -> Formula | None:
    op, result = node.op, node.outputs[0].type
    if isinstance(op, Unsqueeze):
        axis = op.args["axis"] % result.rank
        return _moved(tables[0].formula, [at + (at >= axis) for at in range(len(tables[0].shape))])
    shapes = [table.shape for table in tables]
    aligned = [_broadcast(table.formula, shape, result.shape) for table, shape in zip(tables, shapes, strict=True)]
    if any(one is None for one in aligned):
        return None
    given: list[Formula] = [one for one in aligned if one is not None]
    integers, booleans = (all(table.element == dtype for table in tables) for dtype in (INT64, BOOL))
    match op:
        case Neg() if integers:
            return UnaryFormula("-", given[0])
        case LogicalNot() | BitwiseNot() if booleans:
            return UnaryFormula("not", given[0])
        case Abs() if integers:
            return CallFormula("abs", tuple(given))
        case Minimum() | Maximum() if integers and len(given) > 1:
            return CallFormula("min" if isinstance(op, Minimum) else "max", tuple(given))
        case LogicalAnd() | BitwiseAnd() if booleans and len(given) == 2:
            return BinaryFormula("and", *given)
        case LogicalOr() | BitwiseOr() if booleans and len(given) == 2:
            return BinaryFormula("or", *given)
    return _binary(op, given) if integers and op.symbol in {"+", "-", "*", *COMPARISONS} else None


def _binary(op: object, given: list[Formula]) -> Formula | None:
    scalars = getattr(op, "scalars", ())
    if not all(isinstance(number, (int, SymDim)) and not isinstance(number, bool) for number in scalars):
        return None
    both = [*given, *map(Const, scalars)]
    if getattr(op, "number_first", False):
        both.reverse()
    return BinaryFormula(getattr(op, "symbol", ""), *both) if len(both) == 2 else None


def _broadcast(formula: Formula, shape: Sequence[object], wide: Sequence[object]) -> Formula | None:
    """The formula of a table that is broadcast to a shape; None if it is not known which of its axes are."""
    first = len(wide) - len(shape)
    if any(size not in (1, wide[first + axis]) for axis, size in enumerate(shape)):
        return None
    return _moved(formula, [None if size == 1 and wide[first + axis] != 1 else first + axis for axis, size in enumerate(shape)])


def _moved(formula: Formula, axes: Sequence[int | None]) -> Formula:
    """The formula with other numbers for its indices, None for one that is always 0."""
    if isinstance(formula, IndexFormula):
        axis = axes[formula.number]
        return Const(0) if axis is None else IndexFormula(axis)
    return with_operands(formula, [_moved(one, axes) for one in operands(formula)])


def _decided(formula: Formula, shape: Sequence[object]) -> Formula:
    """The formula with the comparisons that have one answer as that."""
    made = with_operands(formula, [_decided(one, shape) for one in operands(formula)])
    match made:
        case BinaryFormula(">=", left, right) | BinaryFormula("<=", right, left):
            least, most = interval(left, tuple(shape))[0], interval(right, tuple(shape))[1]  # type: ignore[arg-type]
            if least is not None and most is not None and least >= most:
                return Const(True)
        case BinaryFormula("and", Const(True), other) | BinaryFormula("and", other, Const(True)):
            return other
    return made
