"""Decides by the formula of an attention mask whether it hides nothing, or exactly the later keys.

The bounds of the formula decide, not its form: `j <= i`, `i - j > -1` and `max(i, j) == i` are all causal.

In: a mask, and the origins of tensors. Out: a boolean. Always: a mask without a formula is neither.
"""

from __future__ import annotations

from ...ir.graph_values import Value
from ...ops.constants import TableOperator
from ...ops.formula_bounds import find_interval, interval_of_pairs
from ...ops.interval_arithmetic import Interval
from ...types.tensor_types import BOOL
from ..graph_view import GraphView
from .tensor_origins import TensorOrigins

HIDDEN = -1e9
"""The largest score whose softmax weight counts as 0."""


def find_alignment(view: GraphView, queries: Value, keys: Value) -> str | None:
    """Return the `align` argument that attention needs for these queries and keys, or None if it needs none."""
    return None if view.facts.are_equal(queries.type.shape[-2], keys.type.shape[-2]) else "start"


def hides_nothing(mask: Value, origins: TensorOrigins, *, hides: bool = False) -> bool:
    """Return whether a mask shows every key to every query.

    A bool mask does if it is true everywhere, or false everywhere if it `hides` where it is true. A float mask is added, so it must be 0.
    """
    table = _find_table(mask, origins)
    return table is not None and _is_visible(find_interval(table.formula, table.shape), mask, hides)


def is_causal(mask: Value, origins: TensorOrigins, *, hides: bool = False) -> bool:
    """Return whether a query sees exactly the keys up to its own position, both counted from 0.

    A bool mask is true there, or false there if it `hides` where it is true. A float mask is 0 there, and at most `HIDDEN` elsewhere.
    """
    table = _find_table(mask, origins)
    if table is None or mask.type.rank < 2 or table.shape[-2:] != mask.type.shape[-2:]:
        return False
    query, key = len(table.shape) - 2, len(table.shape) - 1
    later, others = (interval_of_pairs(table.formula, table.shape, query, key, later=is_later) for is_later in (True, False))
    # Finite numbers are usual: transformers fills masks with the least float, not with minus infinity.
    is_hidden = later.truth is hides if mask.type.dtype == BOOL else later.high <= HIDDEN and not later.nan
    return is_hidden and _is_visible(others, mask, hides)


def _is_visible(interval: Interval, mask: Value, hides: bool) -> bool:
    """Return whether a mask shows a key for every number of the interval."""
    return interval.truth is (mask.type.dtype == BOOL and not hides)


def is_hiding(number: object) -> bool:
    """Return whether a score with this number added, or in its place, has the softmax weight 0 next to visible scores.

    Minus infinity does, and so do finite numbers that are far below all scores.
    """
    return isinstance(number, int | float) and number <= HIDDEN


def _find_table(mask: Value, origins: TensorOrigins) -> TableOperator | None:
    origin = origins.find_origin(mask)
    return origin.op if origin is not None and isinstance(origin.op, TableOperator) and origin.op.element_type == mask.type.dtype else None
