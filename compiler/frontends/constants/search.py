"""The search: what an array is, by the first of the families whose formula gives its numbers.

In: an array. Out: a formula, or None. Always: the formula gives exactly these numbers, whichever library computes its sines, logarithms and
powers; of one array the same formula, whatever the machine; the work is bounded by the number of elements that are looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from ...ops.formula import BinaryFormula, CallFormula, Const, Formula, operands, with_operands
from ...ops.formula_values import evaluate
from .conditions import bands, factors, positions, ranges, two_values, windows
from .making import const, index, substitute
from .reals import logarithms, powers, scaled, spaced, waves
from .shapes import blocks, diagonals, edges, mirrors, opposite, shifted, slices
from .sums import products, splits, sums_of_digits, sums_of_parts

if TYPE_CHECKING:
    from ..base import Array

Find = Callable[["Array"], Formula | None]
Family = Callable[["Array", Find], Iterator[Formula]]

FAMILIES: tuple[Family, ...] = (
    sums_of_digits,
    ranges,
    bands,
    two_values,
    spaced,
    powers,
    logarithms,
    waves,
    opposite,
    blocks,
    positions,
    factors,
    windows,
    mirrors,
    diagonals,
    scaled,
    sums_of_parts,
    products,
    shifted,
    splits,
    slices,
    edges,
)
"""In the order in which they are tried: the plainest first."""
_DEPTH = 6
_WORK = 150
"""How often all elements may be looked at."""
_LEAST_WORK = 3_000_000
_SAMPLE = 64
"""Elements of an axis that a formula is tried on before it is tried on all."""


class Exhausted(Exception):
    """The search has taken long enough."""


class Search:
    """The search for the formula of one array, and the parts of it that have been looked at."""

    def __init__(self, size: int) -> None:
        self.left = max(_WORK * size, _LEAST_WORK)
        self.known: dict[tuple[object, ...], Formula | None] = {}
        self.depth = 0

    def whole(self, array: Array) -> Formula | None:
        try:
            return self.find(array)
        except Exhausted:
            return None

    def find(self, array: Array) -> Formula | None:
        """The formula of an array, in its own indices."""
        import numpy as np

        self._spend(array.size)
        if not array.size or self.depth > _DEPTH:
            return None
        axes = _axes(array)
        array = array[tuple(slice(None) if axis in axes else 0 for axis in range(array.ndim))]
        if not array.ndim:
            return None if array != array else const(array[()])
        if array.dtype.kind == "f" and np.isfinite(array).all() and (np.abs(array) < 2**53).all() and (array == np.rint(array)).all():
            array = array.astype(np.int64)
        array = array.astype(np.int64) if array.dtype.kind in "iu" else array
        key = (array.shape, str(array.dtype), sha256(np.ascontiguousarray(array)).digest())
        if key not in self.known:
            self.known[key] = None
            self.depth += 1
            try:
                self.known[key] = self._search(array)
            finally:
                self.depth -= 1
        found = self.known[key]
        return None if found is None else substitute(found, [index(axis) for axis in axes])

    def _search(self, array: Array) -> Formula | None:
        for family in FAMILIES:
            for formula in family(array, self.find):
                if self._gives(formula, array):
                    return formula
        return None

    def _gives(self, formula: Formula, array: Array) -> bool:
        """Whether the formula has the values of the array."""
        self._spend(min(array.size, _SAMPLE**2))
        return gives(formula, array[tuple(slice(None, _SAMPLE) for _ in array.shape)]) and (self._spend(2 * array.size) or gives(formula, array))

    def _spend(self, elements: int) -> bool:
        self.left -= elements + 500
        if self.left < 0:
            raise Exhausted
        return False


def gives(formula: Formula, array: Array) -> bool:
    """Whether the formula has exactly the values of the array, also if its functions are inexact in their last bit."""
    import numpy as np

    shape = tuple(int(size) for size in array.shape)
    return all(np.array_equal(evaluate(one, shape).astype(array.dtype), array) for one in dict.fromkeys((formula, *_nudged(formula))))


def _nudged(formula: Formula) -> tuple[Formula, ...]:
    """The formula with results of inexact functions that are a little larger, and smaller."""
    return tuple(_with_factor(formula, 1 + sign * 4e-16) for sign in (1, -1))


def _with_factor(formula: Formula, factor: float) -> Formula:
    inner = operands(formula)
    if not inner:
        return formula
    made = with_operands(formula, [_with_factor(part, factor) for part in inner])
    match formula:
        case CallFormula("sin" | "cos" | "exp" | "log", _) | BinaryFormula("**", _, BinaryFormula("/", _, _)):
            return BinaryFormula("*", made, Const(factor))
    return made


def _axes(array: Array) -> list[int]:
    """The axes along which it is not the same."""
    return [axis for axis, size in enumerate(array.shape) if size > 1 and (array != array.take([0], axis)).any()]
