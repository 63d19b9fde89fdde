"""Converts formulas of tables to trees, in which each number is a literal.

>>> product = formula_to_tree(BinaryFormula("*", Const(2), IndexFormula(0)), ("i", "j"))
>>> product.left.value, product.symbol, product.right.name
(2, '*', 'i')
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.trees import Tree

from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, IndexFormula, ItemFormula, UnaryFormula
from ...ops.formula_values import list_values
from .spec_tree import Binary, FunctionCall, IndexName, ListItem, Literal, Prefix, make_literal_of


def formula_to_tree(formula: Formula, indices: Sequence[str]) -> Tree:
    """Convert the formula, with the names of the table's indices."""
    match formula:
        case Const(value):
            return make_literal_of(value, "value")
        case IndexFormula(number):
            return IndexName(indices[number])
        case UnaryFormula(op, operand):
            return Prefix(op, formula_to_tree(operand, indices))
        case BinaryFormula(op, left, right):
            return Binary(op, formula_to_tree(left, indices), formula_to_tree(right, indices))
        case CallFormula(function, arguments):
            return FunctionCall(function, tuple(formula_to_tree(argument, indices) for argument in arguments))
        case ItemFormula(sequence, places):
            return ListItem(Literal(list_values(sequence), "values"), tuple(formula_to_tree(index, indices) for index in places))
    raise TypeError(type(formula).__name__)
