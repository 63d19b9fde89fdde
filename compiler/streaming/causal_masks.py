"""Prove from the formula of a table whether it hides later positions.

In: the formula of a mask over queries and keys, as booleans or as numbers that are added to scores: `j <= i`. Out: the value or bound of
the mask for every key that comes after its query: False. Always: the result is proved. A score of -1e4 or less counts as hidden, because
its exponential is 0 in float32.

    >>> from ..ops.formula import BinaryFormula, IndexFormula
    >>> causal = BinaryFormula("<=", IndexFormula(1), IndexFormula(0))
    >>> bound_later_scores(causal, (4, 4), 0, 1, BOOL)
    False
"""

from __future__ import annotations

from ..ops.formula import Formula
from ..ops.formula_bounds import find_interval, interval_of_pairs
from ..ops.formula_values import fold_formula
from ..types.tensor_types import BOOL, DType, Shape

HIDDEN = -1e4
"""A score that counts as hidden: float32's exponential of it is 0."""


def bound_later_scores(formula: Formula, shape: Shape, query: int, key: int, element: DType) -> bool | float | None:
    """Return the value of a table where the key comes after its query, as a boolean or as an upper bound. `query` and `key` are the
    numbers of their indices."""
    interval = interval_of_pairs(fold_formula(formula), shape, query, key, later=True)
    if element == BOOL:
        return interval.truth
    if interval.high <= HIDDEN and not interval.nan:
        return float(interval.high)
    # 0 is exact if the interval says that the table is false there: a weight of 0, not a bound.
    return 0.0 if interval.truth is False else None


def find_least_element(formula: Formula, shape: Shape) -> float | None:
    """Return a number above 0 that is at most every element of a table, if one is known."""
    interval = find_interval(fold_formula(formula), shape)
    return interval.low if interval.low > 0 and not interval.nan else None
