"""Folds operators on tables into one table: a comparison of the positions `j` and `i` becomes the table `j <= i`.

In: a view of a graph. Out: nothing. A node becomes a table if one formula of integers and booleans gives its elements. Always: each element
keeps its value exactly. Arithmetic of floats is left out, because it rounds.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

from netc.dsl.record import replace
from netc.dsl.trees import rewrite_upward

from ...dims import Facts, SymDim
from ...ir.graph import Graph, OpNode
from ...ir.graph_values import Value
from ...ops.arithmetic import Maximum, Minimum
from ...ops.bitwise import BitwiseAnd, BitwiseNot, BitwiseOr
from ...ops.comparison import LogicalAnd, LogicalOr, Where
from ...ops.constants import TableOperator
from ...ops.cumulative import Diff
from ...ops.elementwise import Abs, LogicalNot, Neg
from ...ops.formula import (
    COMPARISONS,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    IndexFormula,
    UnaryFormula,
    find_indices,
    find_stored_array,
    iterate_parts,
)
from ...ops.formula_bounds import decide_truth, kind_of
from ...ops.formula_values import number_of
from ...ops.indexing import MaskedFill, Tril, Triu
from ...ops.joining import Concat
from ...ops.operator import Operator
from ...ops.reduction import Cumsum
from ...ops.shape import Cast, Unsqueeze
from ...types.tensor_types import BOOL, FLOAT32, INT64
from ..graph_view import GraphView
from .rearranged_tables import LOOKED_THROUGH, broadcast_formula, rearrange_formula
from .two_values import TwoValues, apply_to_values, match_two_values

_NAMES = "ijklmn"
_LONGEST = 24
"""The largest number of parts at which a formula is easier to read than operators."""


class TableFolder:
    """Folds the tables of one graph. The formulas of its tensors are computed once each."""

    def __init__(self, view: GraphView) -> None:
        self.view = view
        self.formulas: dict[int, Formula | None] = {}
        self.pairs: dict[int, TwoValues | None] = {}

    def fold_tables(self) -> None:
        """Replace every node that has a formula by a table."""
        for node in list(self.view.graph.nodes):
            if isinstance(node, OpNode) and len(node.outputs) == 1 and node.inputs and not node.label:
                self._fold_node(node)

    def _fold_node(self, node: OpNode) -> None:
        (value,), (result,) = node.outputs, (node.outputs[0].type,)
        formula = self.find_formula(value)
        # These operators only copy floats or replace them by one number, so their results are exact.
        if isinstance(node.op, (Tril, Triu, MaskedFill)) and result.dtype not in (BOOL, INT64):
            formula = self._compute_float_formula(node)
        if formula is None and result.dtype == FLOAT32 and (pair := self.find_two_values(value)) is not None:
            formula = pair.numbers
        if formula is None or isinstance(node.op, LOOKED_THROUGH):
            return
        direct = all(self.view.match_maker(operand, TableOperator) for operand in node.inputs)
        used = find_indices(formula)
        # Integers that only repeat along an axis would make a larger table than the one that is broadcast.
        if not direct and result.dtype != BOOL and any(axis not in used and size != 1 for axis, size in enumerate(result.shape)):
            return
        kind = {"bool": BOOL, "int": INT64, "float": FLOAT32}[kind_of(formula, result.shape)]
        dtype = None if kind == result.dtype else result.dtype
        names = tuple(_NAMES[: result.rank])
        self.view.replace_operator(node, TableOperator(indices=names, shape=result.shape, formula=formula, dtype=dtype, labeled=False), ())

    def find_formula(self, value: Value) -> Formula | None:
        """Return the formula of a tensor's elements. None if they are not integers or booleans made of tables, or have no short formula."""
        if id(value) not in self.formulas:
            self.formulas[id(value)] = None
            self.formulas[id(value)] = self._compute_formula(value)
        return self.formulas[id(value)]

    def _compute_formula(self, value: Value) -> Formula | None:
        node, result = self.view.find_maker(value), value.type
        if node is None or result.dtype not in (BOOL, INT64) or result.rank > len(_NAMES):
            return None
        if isinstance(node.op, TableOperator):
            return _get_table_formula(node.op)
        pair = self.find_two_values(node.inputs[0]) if result.dtype == BOOL and len(node.inputs) == 1 else None
        decided = None if pair is None else apply_to_values(node.op, pair)
        if decided is not None:
            return decided.booleans
        input_formulas = [self.find_formula(operand) for operand in node.inputs]
        formulas = [formula for formula in input_formulas if formula is not None]
        if not formulas or len(formulas) < len(input_formulas):
            return None
        formula = _make_formula(node, formulas)
        if formula is None or sum(1 for _ in iterate_parts(formula)) > _LONGEST:
            return None
        return _decide_comparisons(formula, result.shape)

    def find_two_values(self, value: Value) -> TwoValues | None:
        """Return the two numbers that the elements of a float tensor have, and the condition that chooses between them, or None."""
        if id(value) not in self.pairs:
            self.pairs[id(value)] = (
                self._compute_two_values(value) if value.type.dtype == FLOAT32 and value.type.rank <= len(_NAMES) else None
            )
        return self.pairs[id(value)]

    def _compute_two_values(self, value: Value) -> TwoValues | None:
        node = self.view.find_maker(value)
        if node is not None and isinstance(node.op, Where) and len(node.inputs) == 2:
            return self._match_where(node)
        if node is None or len(node.inputs) > 1:
            return None
        if isinstance(node.op, TableOperator):
            return match_two_values(node.op.formula) if not node.op.labeled and find_stored_array(node.op.formula) is None else None
        if not node.inputs:
            return None
        operand = node.inputs[0]
        if isinstance(node.op, Cast) and operand.type.dtype == BOOL:
            condition = self.find_formula(operand)
            return None if condition is None else TwoValues(condition, 1, 0)
        operand_pair = self.find_two_values(operand)
        if operand_pair is None:
            return None
        if isinstance(node.op, (*LOOKED_THROUGH, Unsqueeze)):
            # `cumsum` and `diff` compute new numbers, and `concat` has further inputs. The others only move elements.
            condition_of_result = None if isinstance(node.op, Cumsum | Diff | Concat) else rearrange_formula(node, [operand_pair.condition])
            return None if condition_of_result is None else replace(operand_pair, condition=condition_of_result)
        return apply_to_values(node.op, operand_pair)

    def _match_where(self, node: OpNode) -> TwoValues | None:
        """Match `where` with two numbers."""
        table = self.view.match_maker(node.inputs[1], TableOperator)
        number = None if table is None else number_of(table.op.args["formula"])
        condition, other = self.find_formula(node.inputs[0]), node.op.scalars[0]
        if condition is None or number is None or not isinstance(other, int | float):
            return None
        places = broadcast_formula(condition, node.inputs[0].type.shape, node.outputs[0].type.shape)
        pair = (other, number) if node.op.number_first else (number, other)
        return None if places is None else TwoValues(places, *pair)

    def _compute_float_formula(self, node: OpNode) -> Formula | None:
        """Return the formula of a float table in which some elements are replaced by a number, which may be infinite.

        Copying a float is exact, so this is the one case in which floats are folded.
        """
        table = self.view.match_maker(node.inputs[0], TableOperator)
        op = None if table is None else table.op
        if not isinstance(op, TableOperator) or op.labeled or find_stored_array(op.formula) is not None:
            return None
        if not isinstance(node.op, MaskedFill):
            return _make_triangle(node, op.formula)
        filled, shape = self.find_formula(node.inputs[1]), node.outputs[0].type.shape
        if filled is None or node.inputs[0].type.shape != shape:
            return None
        places = broadcast_formula(filled, node.inputs[1].type.shape, shape)
        return None if places is None else CallFormula("where", (places, Const(node.op.value), op.formula))


def merge_equal_tables(graph: Graph, facts: Facts) -> None:
    """Keep one of the tables of a graph that have the same formula, shape and element type.

    A function that makes a constant, such as the window of an SSIM loss, makes it anew in each call.
    """
    view = GraphView(graph, facts)
    first: dict[Hashable, Value] = {}
    for node in list(graph.nodes):
        if not isinstance(node, OpNode) or not isinstance(node.op, TableOperator) or node.op.labeled or node.label:
            continue
        (value,) = node.outputs
        kept = first.setdefault((node.op.formula, value.type), value)
        if kept is not value and not any(output is value for output in graph.outputs):
            view.replace_uses(node, kept)
            graph.nodes.remove(node)


def _make_formula(node: OpNode, formulas: Sequence[Formula]) -> Formula | None:
    if isinstance(node.op, (Tril, Triu)):
        return _make_triangle(node, formulas[0])
    return rearrange_formula(node, formulas) if isinstance(node.op, (*LOOKED_THROUGH, Unsqueeze)) else _apply_elementwise(node, formulas)


def _make_triangle(node: OpNode, formula: Formula) -> Formula:
    """Return a formula that is kept on one side of a diagonal, and false or 0 on the other."""
    rank, by = node.inputs[0].type.rank, node.op.args["diagonal"]
    row, column = IndexFormula(rank - 2), IndexFormula(rank - 1)
    # `j > i` is easier to read than `j >= i + 1`.
    if isinstance(node.op, Triu) and by == 1:
        kept = BinaryFormula(">", column, row)
    else:
        place = (
            row
            if by == 0
            else BinaryFormula("-", row, Const(-by))
            if isinstance(by, int) and by < 0
            else BinaryFormula("+", row, Const(by))
        )
        kept = BinaryFormula(">=" if isinstance(node.op, Triu) else "<=", column, place)
    if node.outputs[0].type.dtype == BOOL:
        return BinaryFormula("and", kept, formula)
    return CallFormula("where", (kept, formula, Const(0)))


def _get_table_formula(op: TableOperator) -> Formula | None:
    """Return the formula of a table, unless the table converts the numbers to another type or reads them from a file."""
    exact = op.dtype is None or {"bool": BOOL, "int": INT64}.get(kind_of(op.formula, op.shape)) == op.dtype
    return op.formula if exact and not op.labeled and find_stored_array(op.formula) is None else None


def _apply_elementwise(node: OpNode, formulas: Sequence[Formula]) -> Formula | None:
    op, result = node.op, node.outputs[0].type
    types = [operand.type for operand in node.inputs]
    aligned = [broadcast_formula(formula, type_.shape, result.shape) for formula, type_ in zip(formulas, types, strict=True)]
    operands = [operand for operand in aligned if operand is not None]
    if len(operands) < len(aligned):
        return None
    if all(type_.dtype == INT64 for type_ in types):
        return _apply_to_integers(op, operands)
    return _apply_to_booleans(op, operands) if all(type_.dtype == BOOL for type_ in types) else None


def _apply_to_integers(op: Operator, operands: list[Formula]) -> Formula | None:
    match op:
        case Neg():
            return UnaryFormula("-", operands[0])
        case Abs():
            return CallFormula("abs", tuple(operands))
        case Minimum() | Maximum() if len(operands) > 1:
            return CallFormula("min" if isinstance(op, Minimum) else "max", tuple(operands))
    # A float would make the results floats, which round.
    numbers = all(isinstance(number, (int, SymDim)) and not isinstance(number, bool) for number in op.scalars)
    return _apply_binary(op, operands) if numbers and op.symbol in {"+", "-", "*", *COMPARISONS} else None


def _apply_to_booleans(op: Operator, operands: list[Formula]) -> Formula | None:
    match op:
        case LogicalNot() | BitwiseNot():
            return UnaryFormula("not", operands[0])
        case LogicalAnd() | BitwiseAnd():
            return _apply_binary(op, operands, "and") if all(isinstance(scalar, bool) for scalar in op.scalars) else None
        case LogicalOr() | BitwiseOr():
            return _apply_binary(op, operands, "or") if all(isinstance(scalar, bool) for scalar in op.scalars) else None
    return _apply_binary(op, operands) if op.symbol in ("==", "!=") and not op.scalars else None


def _apply_binary(op: Operator, operands: list[Formula], symbol: str = "") -> Formula | None:
    both = [*operands, *map(Const, op.scalars)]
    if op.number_first:
        both.reverse()
    return BinaryFormula(symbol or op.symbol, *both) if len(both) == 2 else None


def _decide_comparisons(formula: Formula, shape: Sequence[Any]) -> Formula:
    """Replace each comparison that has one answer for all indices by that answer."""

    def change(part: Formula) -> Formula | None:
        match part:
            case BinaryFormula("and", Const(True), other) | BinaryFormula("and", other, Const(True)):
                return other
            case BinaryFormula("or", Const(False), other) | BinaryFormula("or", other, Const(False)):
                return other
            case BinaryFormula(op) if op in COMPARISONS:
                answer = decide_truth(part, tuple(shape))
                return None if answer is None else Const(answer)
        return None

    return rewrite_upward(formula, change)
