"""Floats that record the parameters from which they are computed: `eps`, `width ** -0.5`, `1 / sqrt(2 * depth)`.

In: an operation or a function, and its operands. Out: a `float` with the formula of the operation. Always: repeating the operations in
Python with the values of the symbols gives the same bits. Python's own operators drop the formula, so the elaborator calls `trace_float`
where it computes a float.

>>> width = trace_argument(64, "width")
>>> deviation = trace_float("**", (width, -0.5), 64**-0.5)
>>> deviation, [str(leaf.origin) for leaf in deviation.traced_leaves()]
(0.125, ['width'])
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..ops.formula import (
    ARITHMETIC,
    BinaryFormula,
    CallFormula,
    Const,
    Formula,
    UnaryFormula,
    find_operands,
    strip_formula,
    substitute_in_formula,
)
from ..types.traced_ints import TracedInt, TracedLeaf, TracedValue, formula_symbol, has_origin, is_integer, leaves_in, origin_key

MAX_OPERATIONS = 16
"""The most operations in a formula. Of a longer formula, only the symbols are kept."""
UNKNOWN_OPERATION = "?"
"""The operation of a float whose formula was too long."""


class TracedFloat(TracedValue):
    """A float with a formula."""

    __slots__ = ()


class FloatSymbol(float, TracedFloat, TracedLeaf):
    """A float that is a parameter of a block."""

    def __new__(cls, value: float, name: str) -> FloatSymbol:
        symbol = super().__new__(cls, value)
        symbol.name, symbol.origin = name, formula_symbol(name)
        return symbol

    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        # As for a `TracedInt`: the symbols belong to a graph of this process.
        return float, (float(self),)

    def substitute_values(self, places: Mapping[str, Any]) -> Any:
        return places.get(self.name, self)

    def without_formula(self) -> float:
        return float(self)

    def formula_key(self) -> object:
        return (float(self), self.name)


class FloatFormula(float, TracedFloat):
    """A float that is computed: one operation on numbers, which may be such floats themselves."""

    formula: Formula
    """The operation, with a constant for each operand."""
    size: int
    """The number of operations."""

    def __new__(cls, value: float, formula: Formula, size: int) -> FloatFormula:
        number = super().__new__(cls, value)
        number.formula, number.size = formula, size
        return number

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)

    @property
    def numbers(self) -> tuple[Any, ...]:
        return _constants_in(self.formula)

    def traced_leaves(self) -> Iterator[TracedLeaf]:
        return leaves_in(self.numbers)

    def substitute_values(self, places: Mapping[str, Any]) -> Any:
        return _formula_value(substitute_in_formula(self.formula, places), self)

    def without_formula(self) -> float:
        return float(self)

    def formula_key(self) -> object:
        return (float(self), strip_formula(self.formula), origin_key(self.numbers))


def trace_argument(value: Any, name: str) -> Any:
    """Replace a number by a symbol with its value, and each integer of a list too (`name.0`, `name.1`). Other values are unchanged."""
    if isinstance(value, float):
        return FloatSymbol(value, name)
    # A bool is an int in Python, but a flag has no formula.
    if is_integer(value):
        return TracedInt(int(value), formula_symbol(name))
    if isinstance(value, tuple) and value and all(is_integer(v) for v in value):
        return value.__class__(trace_argument(v, f"{name}.{i}") for i, v in enumerate(value))  # a dims literal stays one
    return value


def has_traced_float(value: object) -> bool:
    """Whether a value or a list has a float with a formula."""
    return isinstance(value, TracedFloat) or (isinstance(value, tuple) and any(map(has_traced_float, value)))


def trace_float(operation: str, numbers: tuple[Any, ...], value: float) -> float:
    """Return the value of an operation with its formula, or a plain float if no operand has a formula."""
    inside = tuple(map(Const, numbers))
    if operation in ARITHMETIC and len(inside) == 2:
        return _formula_value(BinaryFormula(operation, *inside), value)
    return _formula_value(UnaryFormula("-", *inside) if operation == "-" else CallFormula(operation, inside), value)


def _formula_value(formula: Formula, value: float) -> float:
    numbers = _constants_in(formula)
    if not has_origin(numbers):
        return float(value)
    size = 1 + sum(n.size for n in numbers if isinstance(n, FloatFormula))
    if size > MAX_OPERATIONS or is_unknown_float(formula):
        # Each symbol once: the formula grows with the symbols, not with the operations.
        leaves: dict[object, Any] = {leaf.formula_key(): leaf for leaf in leaves_in(numbers)}
        return FloatFormula(value, CallFormula(UNKNOWN_OPERATION, tuple([Const(leaf) for leaf in leaves.values()])), 1)
    return FloatFormula(value, formula, size)


def _constants_in(formula: Formula) -> tuple[Any, ...]:
    return tuple([operand.value for operand in find_operands(formula) if isinstance(operand, Const)])


def is_unknown_float(formula: Formula) -> bool:
    """Whether a float's formula was too long, so that only its symbols are left."""
    return isinstance(formula, CallFormula) and formula.function == UNKNOWN_OPERATION
