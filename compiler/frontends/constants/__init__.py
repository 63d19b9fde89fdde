"""Tables for arrays: the formula that gives the values of a constant, or, for a few numbers, their list.

In: an array. Out: a `TableOperator` whose values are those, by a formula or of a file; an `ImportRefused` if there is no formula. Always:
the values are the same to the last bit, but for the sign of zeros; or, of floats for which there is no such formula, within 4 of the last
places, since sines and logarithms of float32 have errors of their own in every library.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...dims import Facts
from ...ops.constants import TableOperator
from ...ops.formula import Formula, ItemFormula, ListFormula, iterate_parts, make_stored_formula
from ...ops.operator import OperatorError
from ...ops.stored_tables import LIMIT, table_array
from ...types.numpy_types import dtype_of
from ..graph_builder import ImportRefused
from .lists import make_list_formula
from .search import Search

if TYPE_CHECKING:
    from ...types.numpy_types import Array

_NAMES = "ijklmn"
_SHORT_LIST = 32
_LONGEST_LIST = 256
"""Numbers that are rather kept than computed by the graph."""


def make_formula_table(array: Array) -> TableOperator:
    """The table that has the values of the array."""
    if not array.size:
        raise ImportRefused("a constant has no elements")
    known = array if array.dtype.kind in "biuf" else array.astype("float32")  # of bfloat16
    for formula in _list_candidates(known):
        table = None if formula is None else _make_table(array, formula)
        if table is not None:
            return table
    raise ImportRefused(f"no formula was found for a constant of shape {list(array.shape)}")


def make_stored_table(array: Array) -> TableOperator:
    """The table that has the array in a file."""
    stored = table_array(array)
    if len(stored.data) > LIMIT:
        raise ImportRefused(f"a constant has {len(stored.data) >> 20} MiB, and the tables of a spec have at most {LIMIT >> 20}")
    table = _make_table(array, make_stored_formula(stored))
    assert table is not None
    return table


def is_exact(table: TableOperator, array: Array) -> bool:
    """Whether the values of a table are those of the array to the last bit, but for the sign of zeros."""
    import numpy as np

    return bool(
        np.array_equal(table.compute_values(), np.asarray(array, table.compute_values().dtype), equal_nan=array.dtype.kind not in "biu")
    )


def _list_candidates(array: Array) -> Iterator[Formula | None]:
    """An exact formula, few numbers, a formula that is as good as exact, more numbers in a file."""
    formula, listed = _search_formula(Search(array)), make_list_formula(array, _LONGEST_LIST)
    numbers = _LONGEST_LIST if listed is None else _count_parts(listed)
    if formula is not None and (listed is None or _count_parts(formula) <= 2 * numbers):
        yield formula
    if numbers <= _SHORT_LIST:
        yield listed
    if array.dtype.kind == "f":
        yield _search_formula(Search(array, close=True))
    formula = _search_formula(Search(array, lists=True))
    if formula is not None and _count_parts(formula) < numbers:
        yield formula
    if array.size <= _LONGEST_LIST:
        yield make_stored_formula(table_array(array))


def _make_table(array: Array, formula: Formula) -> TableOperator | None:
    """The table of a formula, if it can be made."""
    names = tuple(_NAMES[axis] if axis < len(_NAMES) else f"i{axis}" for axis in range(array.ndim))
    shape = tuple(int(size) for size in array.shape)
    table = TableOperator(indices=names, shape=shape, formula=formula, dtype=dtype_of(array.dtype))
    try:
        table.check_and_infer(table.bind_inputs((), Facts.empty()))
    except OperatorError:
        return None
    return table


def _search_formula(search: Search) -> Formula | None:
    """A formula that says more than the numbers: those of one axis can be cut until each part has a formula."""
    formula, array = search.search_array(), search.array
    longest = 40 + array.size // 64 if max(array.shape, default=1) == array.size else array.size
    return None if formula is None or _count_parts(formula) > max(longest, 40) else formula


def _count_parts(formula: Formula) -> int:
    """The numbers, indices and operators in it."""
    return sum(not isinstance(part, (ItemFormula, ListFormula)) for part in iterate_parts(formula))
