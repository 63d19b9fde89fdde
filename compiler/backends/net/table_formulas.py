"""Formulas of tables as trees of text.

In: a formula. Out: a `Term`, in which each number is a literal. Always: brackets are where the language needs them, and nowhere else.
"""

from __future__ import annotations

from typing import Any

from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, ItemFormula, UnaryFormula
from ...ops.formula_values import list_values
from .spec_tree import Literal, Tree


class Term(Tree):
    """Text with parts in between: strings, literals, indices and terms. `strength` is that of its weakest operator."""

    parts: tuple[Any, ...]
    strength: int


class IndexName(Tree):
    """The index along the axis with this number."""

    number: int


_STRENGTH = {
    **dict.fromkeys(("or",), 1),
    **dict.fromkeys(("and",), 2),
    **dict.fromkeys(("==", "!=", "<", "<=", ">", ">="), 4),
    **dict.fromkeys(("+", "-"), 5),
    **dict.fromkeys(("*", "/", "//", "%"), 6),
    "**": 8,
}
_NOT, _SIGN, _ATOM = 3, 7, 9


def formula_tree(formula: Formula) -> Term:
    """The formula as a term."""
    match formula:
        case Const(value):
            is_negative = isinstance(value, (int, float)) and value < 0  # `-1 ** i` is `-(1 ** i)`
            return Term((Literal(value, "value"),), _SIGN if is_negative else _ATOM)
        case IndexFormula(number):
            return Term((IndexName(number),), _ATOM)
        case UnaryFormula(op, operand):
            strength = _NOT if op == "not" else _SIGN
            return Term((f"{op} " if op == "not" else op, _within(operand, strength)), strength)
        case CallFormula(function, arguments):
            inner: list[Any] = [f"{function}("]
            for index, argument in enumerate(arguments):
                inner += [", "] * (index > 0) + [formula_tree(argument)]
            return Term((*inner, ")"), _ATOM)
        case ItemFormula(whole, at):
            found: list[Any] = [Literal(list_values(whole), "values")]
            for item in at:
                found += ["[", formula_tree(item), "]"]
            return Term(tuple(found), _ATOM)
        case BinaryFormula(op, left, right):
            strength = _STRENGTH[op]
            comparison = strength == _STRENGTH["=="]
            first = _within(left, strength + (comparison or op == "**"))
            return Term((first, f" {op} ", _within(right, strength + (op != "**"))), strength)
    raise TypeError(type(formula).__name__)


def _within(formula: Formula, strength: int) -> Term:
    """The formula in brackets, if it is weaker than that."""
    term = formula_tree(formula)
    return term if term.strength >= strength else Term(("(", term, ")"), _ATOM)
