"""Writes floats that are computed from integers as code: `width**-0.5`, `1 / math.sqrt(2 * depth)`.

In: the values of one float in all bodies of a class, and functions that make code of integers and of symbols. Out: the one expression for
it in all bodies, or None. Always: the operations are the spec's, in the same order, so that the bits are the same.

    >>> import netc
    >>> text = "block scaled(width) { y = in -> dense width; y * width ** -0.5 }; input 8 -> scaled 8 as a -> scaled 16 as b"
    >>> [line.strip() for line in netc.compile(text).source().splitlines() if "**" in line]
    ['return y * self.width**-0.5']
"""

from __future__ import annotations

from collections.abc import Callable, Container, Sequence
from typing import Any

from netc.dsl.trees import shape_key

from ....ir.traced_floats import FloatFormula, FloatSymbol, is_unknown_float
from ....types.traced_ints import has_origin, strip_formulas
from ..code.class_tree import StrictLiteral
from ..code.formula_code import operation_to_code
from ..code.python_expressions import Code, Lit

IntegerCode = Callable[[Sequence[Any]], Code | None]
"""Writes integers by the one formula that they have in all bodies."""
SymbolCode = Callable[[str], Code | None]
"""Writes a float that is a parameter."""


def float_to_code(values: Sequence[Any], unused: Container[int], integers: IntegerCode, symbol: SymbolCode) -> Code | None:
    """Return the expression, ignoring the values in `unused` bodies. An expression of numbers alone becomes the number."""
    used = next(v for i, v in enumerate(values) if i not in unused)
    # An unused body agrees with any formula, so it takes the value of a used one.
    column = [used if i in unused else v for i, v in enumerate(values)]
    return _value_to_code(column, integers, symbol)


def _value_to_code(column: list[Any], integers: IntegerCode, symbol: SymbolCode) -> Code | None:
    first = column[0]
    match first:
        case FloatSymbol(name=name):
            same = all(isinstance(v, FloatSymbol) and v.name == name for v in column)
            return symbol(name) if same else None
        case FloatFormula():
            return _formula_to_code(first, column, integers, symbol)
    if any(map(has_origin, column)):
        return integers(column)
    return Lit(first) if len(set(map(StrictLiteral, column))) == 1 else None


def _formula_to_code(first: FloatFormula, column: list[Any], integers: IntegerCode, symbol: SymbolCode) -> Code | None:
    if is_unknown_float(first.formula):
        return None
    if not all(isinstance(v, FloatFormula) and shape_key(v.formula) == shape_key(first.formula) for v in column):
        return None
    inside = [_value_to_code(list(several), integers, symbol) for several in zip(*(v.numbers for v in column), strict=True)]
    known = [code for code in inside if code is not None]
    if len(known) < len(inside):
        return None
    if all(isinstance(code, Lit) for code in known):
        return Lit(strip_formulas(first)) if len(set(map(StrictLiteral, column))) == 1 else None
    return operation_to_code(first.formula, known)
