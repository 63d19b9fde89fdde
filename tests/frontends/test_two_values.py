"""Operators on tables of two numbers, as masks are made: each number is the one that Python computes."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

import pytest

from netc.compiler.frontends.tidying.two_values import TwoValues, apply_to_values
from netc.compiler.ops import Operator
from netc.compiler.ops.formula import IndexFormula

FUNCTIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv,
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq, "!=": operator.ne,
}  # fmt: skip
BY_SYMBOL = {cls.symbol: cls for cls in Operator.registry.values()}


@pytest.mark.parametrize("symbol", FUNCTIONS)
@pytest.mark.parametrize("number", [1.0, -2.5, 0.0])
@pytest.mark.parametrize("number_first", [False, True])
def test_numbers_as_in_python(symbol: str, number: float, number_first: bool) -> None:
    values = (0.0, 1.0)
    result = apply_to_values(BY_SYMBOL[symbol](other=number, reverse=number_first), TwoValues(IndexFormula(0), *values))
    if symbol == "/" and (number_first or number == 0):
        assert result is None
        return
    function = FUNCTIONS[symbol]
    assert result is not None
    assert (result.then, result.otherwise) == tuple(function(number, v) if number_first else function(v, number) for v in values)
