"""Computes with tables of two numbers, one where a condition holds and the other elsewhere.

Models make masks this way: `(1 - tril(ones(T, T))) * -10000.0` has 0 where `j <= i` and -10000 elsewhere.

In: an operator, and the two numbers of its only input. Out: the two numbers of its result. Always: they are computed as the operator
computes each element, before rounding to the element type.
"""

from __future__ import annotations

import operator
from collections.abc import Callable

from netc.dsl.record import Record

from ...ops.arithmetic import Add, Div, Mul, Sub
from ...ops.elementwise import Neg
from ...ops.formula import COMPARISONS, CallFormula, Const, Formula, UnaryFormula
from ...ops.formula_values import number_of
from ...ops.operator import Operator
from ...ops.shape import Cast
from ...types.tensor_types import BOOL, FLOAT32

Number = bool | int | float
_ARITHMETIC: dict[type[Operator], Callable[[Number, Number], Number]] = {
    Add: operator.add,
    Sub: operator.sub,
    Mul: operator.mul,
    Div: operator.truediv,
}


class TwoValues(Record):
    """`then` where the condition holds, else `otherwise`."""

    condition: Formula
    then: Number
    otherwise: Number

    @property
    def numbers(self) -> Formula:
        """Return the formula of the two numbers."""
        if isinstance(self.condition, Const):
            return Const(self.then if self.condition.value else self.otherwise)
        return CallFormula("where", (self.condition, Const(self.then), Const(self.otherwise)))

    @property
    def booleans(self) -> Formula:
        """Return the formula of the two numbers as booleans."""
        match bool(self.then), bool(self.otherwise):
            case True, False:
                return self.condition
            case False, True:
                return UnaryFormula("not", self.condition)
        return Const(bool(self.then))


def match_two_values(formula: Formula) -> TwoValues | None:
    """Match `where(condition, number, number)`."""
    match formula:
        case CallFormula("where", (condition, then, otherwise)):
            numbers = number_of(then), number_of(otherwise)
            return None if numbers[0] is None or numbers[1] is None else TwoValues(condition, numbers[0], numbers[1])
    return None


def apply_to_values(op: Operator, values: TwoValues) -> TwoValues | None:
    """Apply an operator with at most one number to both values. None for other operators."""
    if isinstance(op, Cast):
        return values if op.args["dtype"] in (BOOL, FLOAT32) else None
    if isinstance(op, Neg):
        return TwoValues(values.condition, -values.then, -values.otherwise)
    function = _ARITHMETIC.get(type(op)) or COMPARISONS.get(op.symbol)
    number = op.scalars[0] if len(op.scalars) == 1 else None
    # Division by 0, and by the table itself, may be infinite or NaN.
    if function is None or not isinstance(number, (int, float)) or (isinstance(op, Div) and (number == 0 or op.number_first)):
        return None
    pair = [function(number, value) if op.number_first else function(value, number) for value in (values.then, values.otherwise)]
    # Adding 0.0 makes floats of ints, and 0.0 of -0.0, which reads better.
    return TwoValues(values.condition, *(value if isinstance(value, bool) else value + 0.0 for value in pair))
