"""Formulas as one would write them: sums without zeros, products without ones.

In: formulas of a table and numbers. Out: formulas. Always: their values are those of the arithmetic that the function is named after.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from netc.dsl.trees import rewrite_upward

from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, UnaryFormula

if TYPE_CHECKING:
    from ...types.numpy_types import Array

Find = Callable[["Array"], Formula | None]
"""Finds the formula of an array that is a part of another one, in its own indices."""
ZERO, ONE = Const(0), Const(1)


def const(value: Any) -> Const:
    """A number, an integer if it is one."""
    value = value.item() if hasattr(value, "item") else value
    return Const(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 2**53 else Const(value)


def add(left: Formula, right: Formula) -> Formula:
    if isinstance(right, Const):
        if right.value == 0:
            return left
        if isinstance(right.value, (int, float)) and right.value < 0:
            return sub(left, const(-right.value))
    if left == ZERO:
        return right
    if isinstance(right, UnaryFormula) and right.op == "-":
        return sub(left, right.operand)
    if isinstance(left, UnaryFormula) and left.op == "-":
        return sub(right, left.operand)
    return BinaryFormula("+", left, right)


def sub(left: Formula, right: Formula) -> Formula:
    if isinstance(right, Const):
        if right.value == 0:
            return left
        if isinstance(right.value, (int, float)) and right.value < 0:
            return add(left, const(-right.value))
    return negated(right) if left == ZERO else BinaryFormula("-", left, right)


def negated(formula: Formula) -> Formula:
    if isinstance(formula, Const) and isinstance(formula.value, (int, float)):
        return const(-formula.value)
    return UnaryFormula("-", formula)


def mul(left: Formula, right: Formula) -> Formula:
    for one, other in ((left, right), (right, left)):
        if isinstance(one, Const) and one.value in (0, 1, -1):
            return ZERO if one.value == 0 else other if one.value == 1 else negated(other)
    return BinaryFormula("*", right, left) if isinstance(left, Const) and not isinstance(right, Const) else BinaryFormula("*", left, right)


def div(left: Formula, right: Formula) -> Formula:
    return left if right == ONE else BinaryFormula("/", left, right)


def floordiv(left: Formula, number: int) -> Formula:
    if isinstance(left, BinaryFormula) and left.op == "//" and isinstance(left.right, Const) and isinstance(left.right.value, int):
        return floordiv(left.left, left.right.value * number)
    return left if number == 1 else BinaryFormula("//", left, Const(number))


def mod(left: Formula, number: int) -> Formula:
    return BinaryFormula("%", left, Const(number))


def compare(op: str, left: Formula, right: Formula) -> Formula:
    if right == ZERO and isinstance(left, BinaryFormula) and left.op == "-":
        return BinaryFormula(op, left.left, left.right)
    return BinaryFormula(op, left, right)


def either(*conditions: Formula) -> Formula:
    return _chain("or", conditions)


def both(*conditions: Formula) -> Formula:
    return _chain("and", conditions)


def _chain(op: str, conditions: Sequence[Formula]) -> Formula:
    whole = conditions[0]
    for condition in conditions[1:]:
        whole = BinaryFormula(op, whole, condition)
    return whole


def where(test: Formula, then: Formula, otherwise: Formula) -> Formula:
    return CallFormula("where", (test, then, otherwise))


def call(name: str, argument: Formula) -> Formula:
    return CallFormula(name, (argument,))


def single(formula: Formula) -> Formula:
    """Rounded to float32."""
    return call("float32", formula)


def index(axis: int) -> Formula:
    return IndexFormula(axis)


def substitute(formula: Formula, at: Sequence[Formula]) -> Formula:
    """The formula with others in place of its indices."""

    def change(part: Formula) -> Formula | None:
        match part:
            case IndexFormula(number):
                return at[number]
            case BinaryFormula("//", left, Const(int() as number)):
                return floordiv(left, number)
            case BinaryFormula("-" | "+" as op, left, Const(int() as number)):
                return _moved(left, number if op == "+" else -number)
            case BinaryFormula("<" | "==" as op, left, Const(int() as number)):
                return _compared(op, left, number)
        return None

    return rewrite_upward(formula, change)


def _moved(formula: Formula, by: int) -> Formula:
    match formula:
        case BinaryFormula("-" | "+" as op, inner, Const(int() as number)):
            return add(inner, const(by + (number if op == "+" else -number)))
    return add(formula, const(by))


def _compared(op: str, formula: Formula, number: int) -> Formula:
    """Of `i - 3 < 2` and `i // 3 < 2`, what the index is compared with."""
    match formula:
        case BinaryFormula("-", inner, Const(int() as by)):
            return _compared(op, inner, number + by)
        case BinaryFormula("//", inner, Const(int() as by)) if op == "<" and by > 0:
            return _compared(op, inner, number * by)
    return BinaryFormula(op, formula, const(number))
