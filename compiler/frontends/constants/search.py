"""Searches the formula of an array, by families of formulas, the plainest first.

    >>> import numpy as np
    >>> Search(np.array([1, 1, 2, 2, 3, 3]) - 1).search_array()        # i // 2
    BinaryFormula(op='//', left=IndexFormula(number=0), right=Const(value=2, name=''))

In: an array. Out: a formula, or None. Always: the formula gives exactly these numbers with any library's sines, logarithms and powers. An
array has the same formula on every machine. The number of elements that the search may look at is bounded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import TYPE_CHECKING

from netc.dsl.trees import rewrite_upward

from ...ops.formula import BinaryFormula, CallFormula, Const, Formula
from ...ops.formula_values import evaluate_formula
from .array_structure import (
    find_border,
    find_flattened_matrix,
    find_negated,
    find_offset,
    find_piecewise,
    find_repetition,
    find_symmetry,
    find_toeplitz,
)
from .float_series import find_evenly_spaced, find_geometric_series, find_logarithms, find_scaled_integers, find_sinusoids
from .index_masks import find_band_masks, find_index_ranges, find_one_hot, find_separable_masks, find_shifted_windows, find_two_values
from .index_sums import find_axis_sums, find_clipped_ramps, find_digit_sums, find_image_grids, find_outer_products
from .lists import find_short_lists
from .simplify_formulas import FindFormula, make_const, make_index, substitute_indices

if TYPE_CHECKING:
    from ...types.numpy_types import Array

Family = Callable[["Array", FindFormula], Iterator[Formula]]

FAMILIES: tuple[tuple[Family, int], ...] = (
    (find_digit_sums, 9),
    (find_clipped_ramps, 9),
    (find_index_ranges, 9),
    (find_band_masks, 9),
    (find_two_values, 9),
    (find_evenly_spaced, 9),
    (find_geometric_series, 9),
    (find_logarithms, 9),
    (find_sinusoids, 9),
    (find_negated, 9),
    (find_shifted_windows, 2),
    (find_repetition, 9),
    (find_one_hot, 9),
    (find_separable_masks, 9),
    (find_symmetry, 9),
    (find_toeplitz, 9),
    (find_scaled_integers, 9),
    (find_axis_sums, 9),
    (find_outer_products, 9),
    (find_offset, 9),
    (find_image_grids, 3),
    (find_flattened_matrix, 4),
    (find_piecewise, 5),
    (find_border, 2),
)
"""The families in the order in which they are tried, the plainest first. The number is the deepest level of nesting at which a family is
tried: a costly family within others would multiply its cost."""
# A list comes before a division into pieces, each of which would be a shorter list.
_FAMILIES_WITH_LISTS = tuple(
    family
    for entry in FAMILIES
    if entry[0] is not find_border
    for family in (((find_short_lists, 9), entry) if entry[0] is find_flattened_matrix else (entry,))
)
_DEPTH = 6
_WORK = 24
"""The number of times that the search may look at all elements. A count instead of seconds, so that the result is the same everywhere."""
_LEAST_WORK = 2_000_000
_SAMPLE = 64
"""The number of elements per axis that a formula must match before all elements are computed. Most candidates fail here."""


class Exhausted(Exception):
    """The search has used up its budget."""


class Search:
    """The search for the formula of one array, with a memo of the smaller arrays that it has tried."""

    def __init__(self, array: Array, *, lists: bool = False, close: bool = False) -> None:
        """`lists`: parts may be lists of numbers. `close`: floats may differ in their last places."""
        self.array = array
        self.budget = max(_WORK * array.size, _LEAST_WORK)
        self.families = _FAMILIES_WITH_LISTS if lists else FAMILIES
        self.tolerance = 4 if close and array.dtype.kind == "f" else 0
        self.memo: dict[tuple[object, ...], Formula | None] = {}
        self.depth = 0

    def search_array(self) -> Formula | None:
        """Return the formula of the whole array, or None if there is none within the budget."""
        try:
            return self.find_formula(self.array)
        except Exhausted:
            return None

    def find_formula(self, array: Array) -> Formula | None:
        """Return the formula of an array in its own indices. Raises `Exhausted`."""
        import numpy as np

        self._spend_budget(array.size)
        if not array.size or self.depth > _DEPTH:
            return None
        axes = _find_varying_axes(array)
        array = array[tuple(slice(None) if axis in axes else 0 for axis in range(array.ndim))]
        if not array.ndim:
            # NaN, which no formula writes.
            return None if array != array else make_const(array[()])
        # Floats that are integers have exact formulas of integers, up to the largest one that float64 represents without gaps.
        if array.dtype.kind == "f" and np.isfinite(array).all() and (np.abs(array) < 2**53).all() and (array == np.rint(array)).all():
            array = array.astype(np.int64)
        # All integers are searched as int64, so that differences of unsigned elements do not wrap.
        array = array.astype(np.int64) if array.dtype.kind in "iu" else array
        key = (array.shape, str(array.dtype), sha256(array.tobytes()).digest())
        if key not in self.memo:
            self.memo[key] = None  # an array within itself, as a family may propose, has no formula while its own search is running
            self.depth += 1
            try:
                self.memo[key] = self._try_families(array)
            finally:
                self.depth -= 1
        formula = self.memo[key]
        return None if formula is None else substitute_indices(formula, [make_index(axis) for axis in axes])

    def _try_families(self, array: Array) -> Formula | None:
        for family, deepest in self.families:
            for formula in family(array, self.find_formula) if self.depth <= deepest else ():
                if self._is_formula_of(formula, array):
                    return formula
        return None

    def _is_formula_of(self, formula: Formula, array: Array) -> bool:
        """Return whether the formula gives the values of the array, or values within the tolerance."""
        self._spend_budget(min(array.size, _SAMPLE**2))
        try:
            if not has_values(formula, array[tuple(slice(None, _SAMPLE) for _ in array.shape)], self.tolerance):
                return False
            self._spend_budget(2 * array.size)
            return has_values(formula, array, self.tolerance)
        except IndexError:  # both branches of a `where` are computed, and a list may be too short for the one that is not chosen
            return False

    def _spend_budget(self, elements: int) -> None:
        # A call costs time even for few elements, so a great number of small arrays uses up the budget too.
        self.budget -= elements + 500
        if self.budget < 0:
            raise Exhausted


def has_values(formula: Formula, array: Array, tolerance: int = 0) -> bool:
    """Return whether the formula gives exactly the values of the array, even if its functions are off by their last bit."""
    import numpy as np

    shape = tuple(int(size) for size in array.shape)
    if tolerance and array.dtype.kind == "f":
        near = tolerance * float(np.finfo(array.dtype).eps)
        # Sines near 0 are off by more than their last places. In a table of tiny numbers only, 0 would be near everything.
        finite = np.abs(array[np.isfinite(array)]).astype(np.float64)
        far = near * 1e-3 * min(1.0, float(finite.max(initial=0)))
        return bool(np.allclose(evaluate_formula(formula, shape).astype(array.dtype), array, rtol=near, atol=far, equal_nan=True))
    # Libraries differ in the last bit of sines and powers. If both neighbors of such a result round to the same float32, all libraries
    # agree.
    return all(
        np.array_equal(evaluate_formula(nudged, shape).astype(array.dtype), array)
        for nudged in dict.fromkeys((formula, *_nudge_formula(formula)))
    )


def _nudge_formula(formula: Formula) -> tuple[Formula, ...]:
    """Return the formula twice: with the results of inexact functions a little larger, and a little smaller."""
    return tuple(_scale_inexact_calls(formula, 1 + sign * 4e-16) for sign in (1, -1))


def _scale_inexact_calls(formula: Formula, factor: float) -> Formula:
    def change(part: Formula) -> Formula | None:
        match part:
            case CallFormula("sin" | "cos" | "exp" | "log") | BinaryFormula("**", _, BinaryFormula("/")):
                return BinaryFormula("*", part, Const(factor))
        return None

    return rewrite_upward(formula, change)


def _find_varying_axes(array: Array) -> list[int]:
    """List the axes along which the elements differ."""
    return [axis for axis, size in enumerate(array.shape) if size > 1 and (array != array.take([0], axis)).any()]
