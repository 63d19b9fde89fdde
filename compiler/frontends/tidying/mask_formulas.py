"""Finds what the masks of attention hide, from the formulas of their elements.

In: a mask, and the origins of tensors. Out: whether it hides nothing, or exactly the later keys. A mask without a formula is unknown.
"""

from __future__ import annotations

from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.formula_bounds import find_interval, interval_of_pairs
from ...ops.interval_arithmetic import Interval
from ...types.tensor_types import BOOL
from ..graph_view import GraphView
from .tensor_origins import Origins

HIDDEN = -1e9
"""Scores that are at most this count for nothing."""


def find_alignment(view: GraphView, queries: Value, keys: Value) -> str | None:
    """Return the `align` argument that attention needs for these queries and keys, or None if it needs none."""
    return None if view.facts.are_equal(queries.type.shape[-2], keys.type.shape[-2]) else "start"


def hides_nothing(mask: Value, origins: Origins, *, hides: bool = False) -> bool:
    """Whether it is the same for all keys: true everywhere, or false if a mask `hides` where it is true; or zeros, which are added."""
    table = _find_table(mask, origins)
    return table is not None and _is_visible(find_interval(table.formula, table.shape), mask, hides)


def is_causal(mask: Value, origins: Origins, *, hides: bool = False) -> bool:
    """Whether a query sees the positions up to its own, both counted from 0: by a mask that is true there, or elsewhere if it `hides`; or
    by one that is added, of 0 there and minus infinity or as good as that elsewhere.
    """
    table = _find_table(mask, origins)
    if table is None or mask.type.rank < 2 or table.shape[-2:] != mask.type.shape[-2:]:
        return False
    query, key = len(table.shape) - 2, len(table.shape) - 1
    later, others = (interval_of_pairs(table.formula, table.shape, query, key, later=is_later) for is_later in (True, False))
    is_hidden = later.truth is hides if mask.type.dtype == BOOL else later.high <= HIDDEN and not later.nan
    return is_hidden and _is_visible(others, mask, hides)


def _is_visible(interval: Interval, mask: Value, hides: bool) -> bool:
    """Whether all elements of the interval let a key be seen."""
    return interval.truth is (mask.type.dtype == BOOL and not hides)


def is_hiding(number: object) -> bool:
    """Whether a score with this number added, or in its place, has the weight 0 next to any that was not hidden: minus infinity, and finite
    numbers that are so far below all scores that their exponential is 0."""
    return isinstance(number, int | float) and number <= HIDDEN


def _find_table(mask: Value, origins: Origins) -> TableOperator | None:
    origin = origins.find_origin(mask)
    return origin.op if origin is not None and isinstance(origin.op, TableOperator) and origin.op.element_type == mask.type.dtype else None
