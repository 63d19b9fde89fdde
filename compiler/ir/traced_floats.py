"""Floats that know which parameters they are, or are computed from: `eps`, `width ** -0.5`, `1 / sqrt(2 * depth)`.

In: an operation or a function, and the numbers that it was computed from. Out: a `float` like any other, with the operation. Always: doing
the operations again, in Python, with the values of the integers gives the same bits. No operation of Python's keeps the formula: the
elaborator calls `real` where it computes a float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .traced_ints import Leaf, Traced, TracedInt, has_origin, is_integer, moved, origin_key, own_symbol, traced_in

LARGEST = 16
"""The number of operations from which only what a float depends on is kept."""
LOST = "?"
"""The operation of such a float."""


class TracedReal(Traced):
    """A float that knows what it is computed from."""

    __slots__ = ()


class RealSymbol(float, TracedReal, Leaf):
    """A float that is a parameter of a block."""

    def __new__(cls, value: float, name: str) -> RealSymbol:
        made = super().__new__(cls, value)
        made.name, made.origin = name, own_symbol(name)
        return made

    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)

    def moved(self, places: Mapping[str, Any]) -> Any:
        return places.get(self.name, self)

    def plain(self) -> float:
        return float(self)

    def key(self) -> object:
        return (float(self), self.name)


class RealFormula(float, TracedReal):
    """A float that is `operation` of the operands."""

    operation: str
    operands: tuple[Any, ...]
    size: int
    """The number of operations."""

    def __new__(cls, value: float, operation: str, operands: tuple[Any, ...], size: int) -> RealFormula:
        made = super().__new__(cls, value)
        made.operation, made.operands, made.size = operation, operands, size
        return made

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)

    def leaves(self) -> Iterator[Leaf]:
        return traced_in(self.operands)

    def moved(self, places: Mapping[str, Any]) -> Any:
        return real(self.operation, tuple(moved(o, places) for o in self.operands), self)

    def plain(self) -> float:
        return float(self)

    def key(self) -> object:
        return (float(self), self.operation, origin_key(self.operands), tuple(map(_plain_key, self.operands)))


def _plain_key(operand: object) -> object:
    return None if isinstance(operand, Traced) else (type(operand), operand)


def named(value: Any, name: str) -> Any:
    """A number as a symbol of its own, or each integer of a list (`name.0`, `name.1`). Anything else is unchanged."""
    if isinstance(value, float):
        return RealSymbol(value, name)
    if is_integer(value):
        return TracedInt(int(value), own_symbol(name))
    if isinstance(value, tuple) and value and all(is_integer(v) for v in value):
        return value.__class__(named(v, f"{name}.{i}") for i, v in enumerate(value))  # a dims literal stays one
    return value


def has_real(value: object) -> bool:
    """Whether there is a float in a value, or in a list, that is computed from integers."""
    return isinstance(value, TracedReal) or (isinstance(value, tuple) and any(map(has_real, value)))


def real(operation: str, operands: tuple[Any, ...], value: float) -> float:
    """The value of an operation; plain if nothing in it is traced."""
    if not has_origin(operands):
        return float(value)
    size = 1 + sum(o.size for o in operands if isinstance(o, RealFormula))
    if size > LARGEST or operation == LOST:
        return RealFormula(value, LOST, tuple({leaf.key(): leaf for leaf in traced_in(operands)}.values()), 1)
    return RealFormula(value, operation, operands, size)
