"""Builds formulas as a person would write them: sums without zeros, products without ones.

    >>> add_formulas(make_index(0), make_const(-3.0))        # i - 3
    BinaryFormula(op='-', left=IndexFormula(number=0), right=Const(value=3, name=''))

In: formulas of a table, and numbers. Out: formulas. Always: a result has the values of the arithmetic that its function is named after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from netc.dsl.trees import rewrite_upward

from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula

if TYPE_CHECKING:
    from ...types.numpy_types import Array

FindFormula = Callable[["Array"], Formula | None]
"""Finds the formula of an array that is a part of another one, in its own indices."""
ZERO, ONE = Const(0), Const(1)


def make_const(value: Any) -> Const:
    """Return a constant, as an integer if the number is one."""
    value = value.item() if hasattr(value, "item") else value
    return Const(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else Const(value)


def add_formulas(left: Formula, right: Formula) -> Formula:
    if isinstance(right, Const):
        if right.value == 0:
            return left
        if isinstance(right.value, (int, float)) and right.value < 0:
            return subtract_formulas(left, make_const(-right.value))
    if left == ZERO:
        return right
    if isinstance(right, UnaryFormula) and right.op == "-":
        return subtract_formulas(left, right.operand)
    if isinstance(left, UnaryFormula) and left.op == "-":
        return subtract_formulas(right, left.operand)
    return BinaryFormula("+", left, right)


def subtract_formulas(left: Formula, right: Formula) -> Formula:
    if isinstance(right, Const):
        if right.value == 0:
            return left
        if isinstance(right.value, (int, float)) and right.value < 0:
            return add_formulas(left, make_const(-right.value))
    return negate_formula(right) if left == ZERO else BinaryFormula("-", left, right)


def negate_formula(formula: Formula) -> Formula:
    if isinstance(formula, Const) and isinstance(formula.value, (int, float)):
        return make_const(-formula.value)
    return UnaryFormula("-", formula)


def multiply_formulas(left: Formula, right: Formula) -> Formula:
    for factor, other in ((left, right), (right, left)):
        if isinstance(factor, Const) and factor.value in (0, 1, -1):
            return ZERO if factor.value == 0 else other if factor.value == 1 else negate_formula(other)
    # A number goes last, as in `i * 4 + j`.
    return BinaryFormula("*", right, left) if isinstance(left, Const) and not isinstance(right, Const) else BinaryFormula("*", left, right)


def divide_formulas(left: Formula, right: Formula) -> Formula:
    return left if right == ONE else BinaryFormula("/", left, right)


def floor_divide(left: Formula, number: int) -> Formula:
    if isinstance(left, BinaryFormula) and left.op == "//" and isinstance(left.right, Const) and isinstance(left.right.value, int):
        # `i // 2 // 3` is `i // 6`.
        return floor_divide(left.left, left.right.value * number)
    return left if number == 1 else BinaryFormula("//", left, Const(number))


def take_remainder(left: Formula, number: int) -> Formula:
    return BinaryFormula("%", left, Const(number))


def make_comparison(op: str, left: Formula, right: Formula) -> Formula:
    if right == ZERO and isinstance(left, BinaryFormula) and left.op == "-":
        return BinaryFormula(op, left.left, left.right)
    return BinaryFormula(op, left, right)


def join_or(*conditions: Formula) -> Formula:
    return _chain_conditions("or", conditions)


def join_and(*conditions: Formula) -> Formula:
    return _chain_conditions("and", conditions)


def _chain_conditions(op: str, conditions: Sequence[Formula]) -> Formula:
    formula = conditions[0]
    for condition in conditions[1:]:
        formula = BinaryFormula(op, formula, condition)
    return formula


def make_where(test: Formula, then: Formula, otherwise: Formula) -> Formula:
    return CallFormula("where", (test, then, otherwise))


def make_call(name: str, argument: Formula) -> Formula:
    return CallFormula(name, (argument,))


def round_to_float32(formula: Formula) -> Formula:
    """Round the values to float32, where PyTorch would have rounded an intermediate result."""
    return make_call("float32", formula)


def make_index(axis: int) -> Formula:
    return IndexFormula(axis)


def substitute_indices(formula: Formula, replacements: Sequence[Formula]) -> Formula:
    """Replace the indices of a formula, and simplify the sums, quotients and comparisons around them."""

    def change(part: Formula) -> Formula | None:
        match part:
            case IndexFormula(number):
                return replacements[number]
            case BinaryFormula("//", left, Const(int() as number)):
                return floor_divide(left, number)
            case BinaryFormula("-" | "+" as op, left, Const(int() as number)):
                return _add_constant(left, number if op == "+" else -number)
            case BinaryFormula("<" | "==" as op, left, Const(int() as number)):
                return _move_constants_right(op, left, number)
        return None

    return rewrite_upward(formula, change)


def _add_constant(formula: Formula, by: int) -> Formula:
    match formula:
        case BinaryFormula("-" | "+" as op, inner, Const(int() as number)):
            return add_formulas(inner, make_const(by + (number if op == "+" else -number)))
    return add_formulas(formula, make_const(by))


def _move_constants_right(op: str, formula: Formula, number: int) -> Formula:
    """Move constants to the right of a comparison: `i - 3 < 2` becomes `i < 5`, and `i // 3 < 2` becomes `i < 6`."""
    match formula:
        case BinaryFormula("-", inner, Const(int() as by)):
            return _move_constants_right(op, inner, number + by)
        case BinaryFormula("//", inner, Const(int() as by)) if op == "<" and by > 0:
            return _move_constants_right(op, inner, number * by)
    return BinaryFormula(op, formula, make_const(number))
