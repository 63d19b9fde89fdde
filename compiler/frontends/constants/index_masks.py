"""Finds conditions on indices for arrays of two values: masks that are causal, banded, in blocks, or of shifted windows.

In: an array of booleans, or of two values. Out: candidate formulas, the simplest first. Always: one array has always the same candidates.

    [[1, 0, 0],
     [1, 1, 0],        is `j <= i`, a causal mask
     [1, 1, 1]]
"""

from __future__ import annotations

from collections.abc import Iterator
from math import inf
from typing import TYPE_CHECKING

from ...ops.formula import BinaryFormula, Formula, UnaryFormula
from .simplify_formulas import (
    FindFormula,
    add_formulas,
    floor_divide,
    join_and,
    join_or,
    make_call,
    make_comparison,
    make_const,
    make_index,
    make_where,
    negate_formula,
    substitute_indices,
    subtract_formulas,
    take_remainder,
)

if TYPE_CHECKING:
    from ...types.numpy_types import Array


def find_two_values(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Arrays of two values, as a choice between them by the formula of a mask. The first element has the usual value."""
    import numpy as np

    if a.dtype.kind == "b":
        return
    first = a.flat[0]
    others = a[a != first]
    if not len(others) or (others != others[0]).any():
        return
    # `[0, 0, 1]` reads better as a list than as a choice.
    if a.dtype.kind == "i" and a.ndim == 1 and len(a) < 4:
        return
    condition = find(np.asarray(a == first))
    match condition:
        # `where(not c, a, b)` is written `where(c, b, a)`.
        case UnaryFormula("not", inner):
            yield make_where(inner, _to_bool_const(others[0]), _to_bool_const(first))
        case BinaryFormula("!=", left, right):
            yield make_where(make_comparison("==", left, right), _to_bool_const(others[0]), _to_bool_const(first))
        case Formula():
            yield make_where(condition, _to_bool_const(first), _to_bool_const(others[0]))


def _to_bool_const(number: object) -> Formula:
    value = make_const(number)
    return negate_formula(make_const(inf)) if value.value == -inf else value


def find_index_ranges(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Masks of one axis that are true from one index to another, or everywhere else."""
    import numpy as np

    if a.dtype.kind != "b" or a.ndim != 1:
        return
    starts = np.flatnonzero(a[1:] != a[:-1]) + 1
    if len(starts) > 2 or not len(starts):
        return
    i = make_index(0)
    low = int(starts[0])
    if len(starts) == 1:
        yield (
            make_comparison("<" if a[0] else ">=", i, make_const(low))
            # A single first element is `i == 0`, not `i < 1`.
            if low > 1 or len(a) == 2
            else make_comparison("==" if a[0] else "!=", i, make_const(0))
        )
        return
    high = int(starts[1])
    if high == low + 1:
        yield make_comparison("!=" if a[0] else "==", i, make_const(low))
    elif a[0]:
        yield join_or(make_comparison("<", i, make_const(low)), make_comparison(">=", i, make_const(high)))
    else:
        yield join_and(make_comparison(">=", i, make_const(low)), make_comparison("<", i, make_const(high)))


def find_band_masks(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Masks of two axes that are true where the difference of the indices is between two numbers: causal and banded masks."""
    import numpy as np

    if a.dtype.kind != "b" or a.ndim != 2 or min(a.shape) < 2:
        return
    along = np.arange(a.shape[1]) - np.arange(a.shape[0])[:, None]
    inside = along[a]
    if not len(inside) or len(inside) == a.size:
        return
    for truth in (True, False):
        there = along[a == truth]
        low, high = int(there.min()), int(there.max())
        if np.array_equal((along >= low) & (along <= high), a == truth):
            yield _make_band(low, high, int(along.min()), int(along.max()), truth)


def _make_band(low: int, high: int, lowest: int, highest: int, truth: bool) -> Formula:
    i, j = make_index(0), make_index(1)
    if low == high:
        return make_comparison("==" if truth else "!=", *((j, add_formulas(i, make_const(low))) if low else (i, j)))
    # A bound that the shape implies is left out, so a causal mask has one comparison.
    if low == lowest:
        return make_comparison("<=" if truth else ">", j, add_formulas(i, make_const(high)))
    if high == highest:
        return make_comparison(">=" if truth else "<", j, add_formulas(i, make_const(low)))
    if low == -high:
        return make_comparison("<=" if truth else ">", make_call("abs", subtract_formulas(i, j)), make_const(high))
    if truth:
        return join_and(
            make_comparison(">=", j, add_formulas(i, make_const(low))), make_comparison("<=", j, add_formulas(i, make_const(high)))
        )
    return join_or(make_comparison("<", j, add_formulas(i, make_const(low))), make_comparison(">", j, add_formulas(i, make_const(high))))


def find_separable_masks(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Masks that combine a condition on some axes with one on the others by `and`, `or` or `==`."""
    import numpy as np

    if a.dtype.kind != "b" or not 2 <= a.ndim <= 6:
        return
    # Each way to divide the axes into two groups, once: the last axis is always in the second group.
    for chosen in range(1, 2 ** (a.ndim - 1)):
        some_axes = tuple(axis for axis in range(a.ndim) if chosen >> axis & 1)
        other_axes = tuple(axis for axis in range(a.ndim) if axis not in some_axes)
        for join, reduce in ((join_and, np.any), (join_or, np.all)):
            some_mask, other_mask = reduce(a, axis=other_axes), reduce(a, axis=some_axes)
            some_wide = np.expand_dims(some_mask, other_axes)
            other_wide = np.expand_dims(other_mask, some_axes)
            if np.array_equal(some_wide & other_wide if join is join_and else some_wide | other_wide, a):
                first, second = find(some_mask), find(other_mask)
                if first is not None and second is not None:
                    yield join(
                        substitute_indices(first, [make_index(k) for k in some_axes]),
                        substitute_indices(second, [make_index(k) for k in other_axes]),
                    )
                return
    yield from _find_equality(a, find)


def _find_equality(a: Array, find: FindFormula) -> Iterator[Formula]:
    import numpy as np

    if a.ndim != 2:
        return
    row, column = a[0], a[:, 0]
    if np.array_equal((row[None] == column[:, None]) == a[0, 0], a):
        column_formula, row_formula = find(column), find(row)
        if column_formula is not None and row_formula is not None:
            yield make_comparison("==" if a[0, 0] else "!=", column_formula, substitute_indices(row_formula, [make_index(1)]))


def find_one_hot(a: Array, find: FindFormula) -> Iterator[Formula]:
    """One-hot masks: each row has one element, whose index along the last axis has a formula of the other indices."""
    if a.dtype.kind != "b" or a.ndim < 2 or a.shape[-1] < 3:
        return
    for truth in (True, False):
        rows = a if truth else ~a
        if (rows.sum(-1) == 1).all():
            place = find(rows.argmax(-1))
            if place is not None:
                yield make_comparison("==" if truth else "!=", make_index(a.ndim - 1), place)


def find_shifted_windows(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Masks of shifted windows, as Swin has them: [windows, positions, positions].

    Shifting the image by a part of a window joins pixels from opposite edges. So the windows at the far edges have two parts, which do not
    see each other.
    """
    if a.dtype.kind != "b" or a.ndim != 3 or a.shape[1] != a.shape[2] or a.shape[1] < 4 or not a[:, 0, 0].all():
        return
    for height, width in _list_rectangles(a.shape[1]):
        for rows, columns in _list_rectangles(a.shape[0]):
            formula = _make_window(~a.reshape(rows, columns, height, width, height, width), rows, columns, height, width)
            if formula is not None:
                yield UnaryFormula("not", formula)
                return


def _make_window(apart: Array, rows: int, columns: int, height: int, width: int) -> Formula | None:
    import numpy as np

    edge = np.arange(rows) == rows - 1, np.arange(columns) == columns - 1
    down, across = apart[-1, 0, :, 0, :, 0], apart[0, -1, 0, :, 0, :]
    same_row = edge[0][:, None, None, None, None, None] & down[None, None, :, None, :, None]
    same_column = edge[1][None, :, None, None, None, None] & across[None, None, None, :, None, :]
    if not np.array_equal(same_row | same_column, apart):
        return None
    w, i, j = make_index(0), make_index(1), make_index(2)
    parts: list[Formula] = []
    last_row = make_comparison("==" if columns == 1 else ">=", w, make_const(columns * (rows - 1)))
    for pairs, is_last, query, key in (
        (down, last_row, floor_divide(i, width), floor_divide(j, width)),
        (
            across,
            make_comparison("==", take_remainder(w, columns), make_const(columns - 1)),
            take_remainder(i, width),
            take_remainder(j, width),
        ),
    ):
        if not pairs.any():
            continue
        border = int(pairs[0].argmax())
        side = np.arange(len(pairs)) < border
        if not np.array_equal(side[:, None] != side[None], pairs):
            return None
        parts.append(
            join_and(
                is_last,
                make_comparison("!=", make_comparison("<", query, make_const(border)), make_comparison("<", key, make_const(border))),
            )
        )
    return join_or(*parts) if parts else None


def _list_rectangles(size: int) -> list[tuple[int, int]]:
    """List the heights and widths of rectangles with `size` cells, from the squarest on."""
    pairs = [(size // d, d) for d in range(1, size + 1) if size % d == 0]
    return sorted(pairs, key=lambda p: (abs(p[0] - p[1]), p[0]))
