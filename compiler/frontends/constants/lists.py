"""Writes the numbers of an array as an indexed list: `[0.485, 0.456, 0.406]` is `[0.485, 0.456, 0.406][i]`.

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
    """Return an array of at most `longest` numbers as a list, indexed along the axes that are longer than 1."""
    import numpy as np

    axes = tuple(axis for axis, size in enumerate(array.shape) if size > 1)
    if not axes or array.size > longest or not np.isfinite(array.astype(np.float64)).all():
        return None
    numbers = array.reshape([array.shape[axis] for axis in axes])
    if numbers.dtype.kind == "f":
        # `str` of a float32 has the shortest decimals that identify it; as a float64 the number 0.1 would be 0.10000000149011612.
        numbers = np.array([float(str(number)) for number in numbers.flat]).reshape(numbers.shape)
    return ItemFormula(_make_list(numbers.tolist()), tuple(make_index(axis) for axis in axes))


def _make_list(numbers: list[Any]) -> ListFormula:
    return ListFormula(tuple(_make_list(item) if isinstance(item, list) else Const(item) for item in numbers))


def find_short_lists(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Short arrays of one axis, as a list. Used where other families have cut a larger array into pieces."""
    formula = make_list_formula(a, _LONGEST_PART) if a.ndim == 1 and a.dtype.kind != "b" else None
    if formula is not None:
        yield formula
