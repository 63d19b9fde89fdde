"""The conditions of `if`s as data: what decides whether a stage is there, in terms of the symbols of the graph.

In: comparisons that the elaborator evaluated. Out: records, and whether they hold for given values of the symbols. Always: a condition that
cannot be said so, such as one on a stage value, has none.
"""

from __future__ import annotations

from collections.abc import Mapping

from netc.dsl.record import Record

from ..dims import Dim, evaluate


class Comparison(Record):
    """`left op right`, of formulas; `op` is one of `== != < <= > >=`."""

    op: str
    left: Dim
    right: Dim


class Junction(Record):
    """`left and right`, `left or right`."""

    op: str
    left: Test
    right: Test


class Negation(Record):
    operand: Test


class Flag(Record):
    """The boolean parameter `name` of the block."""

    name: str


Test = Comparison | Junction | Negation | Flag | bool


def holds(test: Test, values: Mapping[str, int], parameters: Mapping[str, object]) -> bool:
    """Whether the condition holds for these values of the symbols and parameters. A KeyError for one that is missing."""
    match test:
        case Comparison(op, left, right):
            a, b = evaluate(left, values), evaluate(right, values)
            return {"==": a == b, "!=": a != b, "<": a < b, "<=": a <= b, ">": a > b, ">=": a >= b}[op]
        case Junction("and", left, right):
            return holds(left, values, parameters) and holds(right, values, parameters)
        case Junction(_, left, right):
            return holds(left, values, parameters) or holds(right, values, parameters)
        case Negation(operand):
            return not holds(operand, values, parameters)
        case Flag(name):
            return bool(parameters[name])
    return test
