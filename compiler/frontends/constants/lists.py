"""Writes the numbers of an array as a list.

In: an array. Out: a formula with its numbers as a list. Always: floats have the fewest digits that identify them.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ...ops.formula import Const, Formula, ItemFormula, ListFormula
from .simplify_formulas import FindFormula, make_index

if TYPE_CHECKING:
    from ...types.numpy_types import Array

_LONGEST_PART = 64


def make_list_formula(array: Array, longest: int) -> Formula | None:
    """The numbers of a short array, along the axes that it has more than one of."""
    import numpy as np

    axes = tuple(axis for axis, size in enumerate(array.shape) if size > 1)
    if not axes or array.size > longest or not np.isfinite(array.astype(np.float64)).all():
        return None
    numbers = array.reshape([array.shape[axis] for axis in axes])
    if numbers.dtype.kind == "f":
        numbers = np.array([float(str(number)) for number in numbers.flat]).reshape(numbers.shape)  # the shortest decimals
    return ItemFormula(_make_list(numbers.tolist()), tuple(make_index(axis) for axis in axes))


def _make_list(numbers: list[Any]) -> ListFormula:
    return ListFormula(tuple(_make_list(item) if isinstance(item, list) else Const(item) for item in numbers))


def find_short_lists(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Few numbers on one axis."""
    formula = make_list_formula(a, _LONGEST_PART) if a.ndim == 1 and a.dtype.kind != "b" else None
    if formula is not None:
        yield formula
