"""Formulas of numbers that are known when a module is constructed, as Python: `stride != 1 or not last`, `1 / math.sqrt(width)`.

In: a formula. Out: code with a literal for each constant. Always: the operations are Python's own, in the same order, so a float has the
same bits in the emitted module as in the compiler.

    >>> from ....ops.formula import Const
    >>> from ..printing.python_printer import print_code
    >>> print_code(formula_to_code(CallFormula("sqrt", (BinaryFormula("*", Const(2), Const(3)),))))
    'math.sqrt(2 * 3)'
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ops.formula import BinaryFormula, CallFormula, Const, Formula, UnaryFormula, find_operands
from .python_expressions import CallCode, Code, Infix, Lit, Prefix


def formula_to_code(formula: Formula) -> Code:
    """Convert a formula to code. The name of a constant becomes the hint for the name of an argument."""
    return operation_to_code(formula, [formula_to_code(operand) for operand in find_operands(formula)])


def operation_to_code(formula: Formula, inside: Sequence[Code]) -> Code:
    """Convert the outermost operation of a formula, on the code of its operands."""
    match formula:
        case Const(value, name):
            return Lit(value, name)
        case UnaryFormula(op):
            return Prefix("not " if op == "not" else op, *inside)
        case BinaryFormula(op):
            left, right = inside
            return Infix(op, left, right)
        case CallFormula(function):
            return CallCode(function if function == "float" else f"math.{function}", tuple(inside))
    raise TypeError(f"no formula of known numbers: {formula!r}")
