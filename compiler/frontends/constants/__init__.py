"""Writes a constant as a table: by a formula for its values, or as a short list of numbers.

    >>> import numpy as np
    >>> make_formula_table(np.tril(np.ones((4, 4), bool))).formula
    BinaryFormula(op='<=', left=IndexFormula(number=1), right=IndexFormula(number=0))

In: an array. Out: a `TableOperator` that has its values, by a formula or in a file. It raises `ImportRefused` if there is no formula.
Always: the values equal the array to the last bit, except for the sign of zeros. Floats without such a formula may differ by 4 units in
the last place, because every library has errors of its own in float32 sines and logarithms.
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
_LONG_FORMULA = 100
"""Numbers, indices and operators: the text of a longer formula takes more than ten lines."""
_LONGEST_LIST = 256
"""Numbers that are rather kept than computed by the graph."""


def make_formula_table(array: Array) -> TableOperator:
    """Return a table whose formula gives the values of the array. Raises `ImportRefused` if there is none."""
    if not array.size:
        raise ImportRefused("a constant has no elements")
    # NumPy has no bfloat16 of its own: the type of the ml_dtypes package has another kind, which the search does not know.
    known = array if array.dtype.kind in "biuf" else array.astype("float32")
    for formula in _list_candidates(known):
        table = None if formula is None else _make_table(array, formula)
        if table is not None:
            return table
    raise ImportRefused(f"no formula was found for a constant of shape {list(array.shape)}")


def find_formula_table(array: Array) -> TableOperator | None:
    """Return a table that has exactly the values of the array, by a formula or a short list, or None."""
    formula, listed = _search_formula(Search(array)), make_list_formula(array, _SHORT_LIST)
    # A formula may be twice as long as the list of numbers, because it says how they were computed.
    if formula is None or (listed is not None and _count_parts(formula) > 2 * _count_parts(listed)):
        formula = listed
    return None if formula is None else _make_table(array, formula)


def make_stored_table(array: Array) -> TableOperator:
    """Return a table that reads the array from a file. Raises `ImportRefused` if the array is too large for one."""
    stored = table_array(array)
    if len(stored.data) > LIMIT:
        raise ImportRefused(f"a constant has {len(stored.data) >> 20} MiB, and the tables of a spec have at most {LIMIT >> 20}")
    table = _make_table(array, make_stored_formula(stored))
    assert table is not None
    return table


def is_exact(table: TableOperator, array: Array) -> bool:
    """Return whether the values of a table equal the array to the last bit, except for the sign of zeros."""
    import numpy as np

    return bool(
        np.array_equal(table.compute_values(), np.asarray(array, table.compute_values().dtype), equal_nan=array.dtype.kind not in "biu")
    )


def _list_candidates(array: Array) -> Iterator[Formula | None]:
    """Yield the candidates from the best on: an exact formula, a short list, a close formula, a formula with lists, a stored array."""
    formula, listed = _search_formula(Search(array)), make_list_formula(array, _LONGEST_LIST)
    numbers = _LONGEST_LIST if listed is None else _count_parts(listed)
    # A formula may be twice as long as the list of numbers, because it says how they were computed.
    if formula is not None and (listed is None or _count_parts(formula) <= 2 * numbers):
        yield formula
    if numbers <= _SHORT_LIST:
        yield listed
    if array.dtype.kind == "f":
        # Only after a short list: the list is exact, and a close formula is not.
        yield _search_close_formula(array)
    formula = _search_formula(Search(array, lists=True))
    if formula is not None and _count_parts(formula) < numbers:
        yield formula
    if array.size <= _LONGEST_LIST:
        yield make_stored_formula(table_array(array))


def _search_close_formula(array: Array) -> Formula | None:
    """Return a close formula: a short one, or a short one with lists of numbers, or a long one."""
    formula = _search_formula(Search(array, close=True))
    if formula is not None and _count_parts(formula) <= _LONG_FORMULA:
        return formula
    # Frequencies that were rounded to bfloat16 have no formula, so the search cuts the array into columns with one formula each.
    listed = _search_formula(Search(array, lists=True, close=True))
    return listed if listed is not None and _count_parts(listed) <= _LONG_FORMULA else formula


def _make_table(array: Array, formula: Formula) -> TableOperator | None:
    """Return the table of a formula, or None if the table's own rules refuse it."""
    names = tuple(_NAMES[axis] if axis < len(_NAMES) else f"i{axis}" for axis in range(array.ndim))
    shape = tuple(int(size) for size in array.shape)
    table = TableOperator(indices=names, shape=shape, formula=formula, dtype=dtype_of(array.dtype))
    try:
        table.check_and_infer(table.bind_inputs((), Facts.empty()))
    except OperatorError:
        return None
    return table


def _search_formula(search: Search) -> Formula | None:
    """Return a formula that says more than the numbers.

    An array of one axis can be cut until each piece has a formula, so a formula nearly as long as the array is no find.
    """
    formula, array = search.search_array(), search.array
    longest = 40 + array.size // 64 if max(array.shape, default=1) == array.size else array.size
    return None if formula is None or _count_parts(formula) > max(longest, 40) else formula


def _count_parts(formula: Formula) -> int:
    """Count the numbers, indices and operators of a formula. A list counts by its numbers."""
    return sum(not isinstance(part, (ItemFormula, ListFormula)) for part in iterate_parts(formula))
