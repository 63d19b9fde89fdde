"""Prove from the formula of a table whether it hides later positions.

In: the formula of a mask over queries and keys, as booleans or as numbers that are added to scores: `j <= i`. Out: the value or bound of
the mask for every key that comes after its query: False. Always: the result is proved. A score of -1e4 or less counts as hidden, because
its exponential is 0 in float32.

    >>> from ..ops.formula import BinaryFormula, IndexFormula
    >>> causal = BinaryFormula("<=", IndexFormula(1), IndexFormula(0))
    >>> PairFormula(causal, (4, 4), 0, 1, BOOL).bound_later()
    False
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from math import inf

from netc.dsl.record import Record

from ..ops.formula import Const, Formula, substitute_indices
from ..ops.formula_bounds import find_interval, interval_of_pairs
from ..ops.formula_values import fold_formula
from ..ops.interval_arithmetic import Interval
from ..types.tensor_types import BOOL, DType, Shape

HIDDEN = -1e4
"""A score that counts as hidden: float32's exponential of it is 0."""


class PairFormula(Record):
    """The formula of a mask over queries and keys. `query` and `key` are the numbers of their indices."""

    formula: Formula
    shape: Shape
    query: int
    key: int
    element: DType

    def bound_later(self, group: int = 1, distance: int = 0) -> bool | float | None:
        """Return the value where the key comes after its query, as a boolean or as an upper bound. With `group`, where it is in a later
        group of that size, and with `distance`, more than that many groups later."""
        return self._bound(group, distance, later=True)

    def bound_first(self, group: int = 1) -> bool | float | None:
        """Return the value of the first query for the keys of its own group, as a boolean or as an upper bound."""
        formula = substitute_indices(fold_formula(self.formula), {self.query: Const(0)})
        sizes = (*self.shape[: self.key], group, *self.shape[self.key + 1 :])
        return self._read_interval(find_interval(formula, sizes))

    def hides_later(self, group: int, distance: int) -> bool:
        """Whether every key is hidden that is more than `distance` groups after its query."""
        value = self.bound_later(group, distance)
        return value is False if self.element == BOOL else value is not None and value <= HIDDEN

    def hides_earlier(self, group: int, distance: int) -> bool:
        """Whether every key is hidden that is more than `distance` groups before its query. A finite number does not count: the penalty
        of ALiBi grows with the distance, and its keys are still to be remembered."""
        value = self._bound(group, distance + 1, later=False)
        return value is False if self.element == BOOL else value == -inf

    def _bound(self, group: int, distance: int, *, later: bool) -> bool | float | None:
        interval = interval_of_pairs(
            fold_formula(self.formula), self.shape, self.query, self.key, later=later, group=group, distance=distance
        )
        return self._read_interval(interval)

    def _read_interval(self, interval: Interval) -> bool | float | None:
        if self.element == BOOL:
            return interval.truth
        if interval.high <= HIDDEN and not interval.nan:
            return float(interval.high)
        # 0 is exact if the interval says that the table is false there: a weight of 0, not a bound.
        return 0.0 if interval.truth is False else None


MOST = 2**20
"""The largest distance of keys that is looked for, in groups."""


def find_least_distance(hides: Callable[[int], bool]) -> int | None:
    """Find the least distance from which on keys are hidden, or None. `hides` is true for each distance after the first such one.

    >>> find_least_distance(lambda distance: distance >= 5), find_least_distance(lambda distance: False)
    (5, None)
    """
    high = 0
    while not hides(high):
        high = 2 * high + 1
        if high > MOST:
            return None
    return bisect_left(range(high), True, key=hides)


def find_least_element(formula: Formula, shape: Shape) -> float | None:
    """Return a number above 0 that is at most every element of a table, if one is known."""
    interval = find_interval(fold_formula(formula), shape)
    return interval.low if interval.low > 0 and not interval.nan else None
