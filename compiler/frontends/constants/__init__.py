"""Tables for arrays: the formula that gives the values of a constant, or, for a few numbers, their list.

In: an array. Out: a `TableOperator` whose values are those; an `ImportRefused` if none is found. Always: the values are the same to the last
bit, but for the sign of zeros.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...dims import Facts
from ...ir.elements import dtype_of
from ...ops.base import OperatorError
from ...ops.constants import TableOperator
from ...ops.formula import Const, Formula, ItemFormula, ListFormula, parts
from ..builder import ImportRefused
from .making import index
from .search import Search

if TYPE_CHECKING:
    from ..base import Array

_NAMES = "ijklmn"
_LONGEST_LIST = 256
"""Numbers: more than these are no text for people."""


def formula_of(array: Array) -> TableOperator:
    """The table that has the values of the array."""
    if not array.size:
        raise ImportRefused("a constant has no elements")
    found, listed = Search(array.size).whole(array), _list(array)
    if found is not None and listed is not None and _length(found) > 2 * _length(listed):
        found = None
    for formula in (found, listed):
        table = None if formula is None else _table(array, formula)
        if table is not None and _is_equal(table, array):
            return table
    raise ImportRefused(f"no formula was found for a constant of shape {list(array.shape)}")


def _table(array: Array, formula: Formula) -> TableOperator | None:
    """The table of a formula, if it can be made."""
    names = tuple(_NAMES[axis] if axis < len(_NAMES) else f"i{axis}" for axis in range(array.ndim))
    shape = tuple(int(size) for size in array.shape)
    table = TableOperator(indices=names, shape=shape, formula=formula, dtype=dtype_of(array.dtype))
    try:
        table.infer(table.bind((), Facts.nothing()))
    except OperatorError:
        return None
    return table


def _is_equal(table: TableOperator, array: Array) -> bool:
    import numpy as np

    return bool(np.array_equal(table.values().astype(array.dtype), array, equal_nan=array.dtype.kind == "f"))


def _length(formula: Formula) -> int:
    """The numbers, indices and operators in it."""
    return sum(not isinstance(part, (ItemFormula, ListFormula)) for part in parts(formula))


def _list(array: Array) -> Formula | None:
    """The numbers of a short array, along the axes that it has more than one of."""
    import numpy as np

    axes = tuple(axis for axis, size in enumerate(array.shape) if size > 1)
    if not axes or array.size > _LONGEST_LIST or not np.isfinite(array.astype(np.float64)).all():
        return None
    numbers = array.reshape([array.shape[axis] for axis in axes])
    if numbers.dtype.kind == "f":
        numbers = np.vectorize(lambda number: float(str(number)), otypes=[np.float64])(numbers)  # the shortest decimals
    return ItemFormula(_listed(numbers.tolist()), tuple(index(axis) for axis in axes))


def _listed(numbers: list[Any]) -> ListFormula:
    return ListFormula(tuple(_listed(item) if isinstance(item, list) else Const(item) for item in numbers))
