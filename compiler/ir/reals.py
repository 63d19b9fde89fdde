"""Floats that know which integers they are computed from: `width ** -0.5`, `1 / sqrt(2 * depth)`.

In: an operation or a function, and the numbers that it was computed from. Out: a `float` like any other, with the operation. Always: doing
the operations again, in Python, with the values of the integers gives the same bits. No operation of Python's keeps the formula: the
elaborator calls `real` where it computes a float.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ..dims import SymDim, symbol
from .origins import Leaf, Traced, TracedReal, has_origin, moved, origin_key, traced_in

LARGEST = 16
"""The number of operations from which only what a float depends on is kept."""
LOST = "?"
"""The operation of such a float."""


class RealSymbol(float, TracedReal, Leaf):
    """A float that is a parameter of a block."""

    def __new__(cls, value: float, name: str) -> RealSymbol:
        made = super().__new__(cls, value)
        origin = symbol(name, lower=None)
        assert isinstance(origin, SymDim)
        made.name, made.origin = name, origin
        return made

    name: str

    def __reduce__(self) -> tuple[Any, ...]:
        return float, (float(self),)

    def named(self, name: str) -> RealSymbol:
        return RealSymbol(self, name)

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

    def named(self, name: str) -> RealSymbol:
        return RealSymbol(self, name)

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
