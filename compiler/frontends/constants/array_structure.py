"""Finds arrays that consist of smaller ones: repeated, in blocks, along diagonals, mirrored, or side by side.

`[0, 0, 1, 1, 2, 2]` repeats each element of `[0, 1, 2]`, whose formula is `i`, so its formula is `i // 2`.

In: an array, and the search for the formula of a smaller one. Out: candidate formulas, built from the formulas of the smaller arrays.
Always: each search continues with a smaller array, so the recursion ends.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING

from ...ops.formula import CallFormula, Formula
from .simplify_formulas import (
    ZERO,
    FindFormula,
    add_formulas,
    floor_divide,
    make_call,
    make_comparison,
    make_const,
    make_index,
    make_where,
    multiply_formulas,
    negate_formula,
    substitute_indices,
    subtract_formulas,
    take_remainder,
)

if TYPE_CHECKING:
    from ...types.numpy_types import Array

_SLICES = 4
"""The most parts of an axis that have a formula each."""


def find_repetition(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Arrays whose elements repeat along an axis: each several times in a row (`i // n`), or all of them periodically (`i % n`)."""
    import numpy as np

    for axis, size in enumerate(a.shape):
        b = np.moveaxis(a, axis, 0).reshape(size, -1)
        changes = np.flatnonzero((b[1:] != b[:-1]).any(1)) + 1
        block = int(np.gcd.reduce(changes)) if len(changes) else 1
        # A mask that changes once is a range, which `find_index_ranges` writes as a comparison.
        if block > 1 and len(changes) > (a.dtype.kind == "b"):
            yield from _extend_formula(a, find, axis, a.take(range(0, size, block), axis), floor_divide(make_index(axis), block))
        for period in _list_periods(b):
            yield from _extend_formula(a, find, axis, a.take(range(period), axis), take_remainder(make_index(axis), period))
            break  # the shortest period: its multiples would give the same formula with larger numbers


def _extend_formula(a: Array, find: FindFormula, axis: int, part: Array, index: Formula) -> Iterator[Formula]:
    formula = find(part)
    if formula is not None:
        yield substitute_indices(formula, [index if k == axis else make_index(k) for k in range(a.ndim)])


def find_flattened_matrix(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Matrices that were flattened: one index is `row * columns + column`."""
    # Fewer elements have a formula of their own, or are a list.
    if a.ndim != 1 or len(a) < 9 or a.dtype.kind == "b":
        return
    root = math.isqrt(len(a))
    # Matrices that were flattened are mostly square, so two shapes near a square are enough. All divisors would cost too much work.
    for columns in sorted((d for d in range(2, len(a)) if len(a) % d == 0), key=lambda d: abs(d - root))[:2]:
        formula = find(a.reshape(-1, columns))
        if formula is not None:
            yield substitute_indices(formula, [floor_divide(make_index(0), columns), take_remainder(make_index(0), columns)])


def _list_periods(b: Array) -> Iterator[int]:
    """Yield the periods of the rows, ascending. The rows must have begun again at least twice."""
    import numpy as np

    starts = np.flatnonzero((b[1 : len(b) // 2 + 1] == b[0]).all(1)) + 1
    # A first row that occurs everywhere has as many starts as rows: without the limit the comparisons were quadratic.
    for period in starts[:64]:
        if np.array_equal(b[period:], b[:-period]):
            yield int(period)


def find_toeplitz(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Toeplitz matrices: only a difference of the two indices counts, or its absolute value."""
    import numpy as np

    if a.ndim != 2 or min(a.shape) < 2 or a.size < 6:
        return
    rows, columns = np.arange(a.shape[0])[:, None], np.arange(a.shape[1])
    # Differences of queries and keys, the same where one side has half as many positions, and antidiagonals (`i + j`).
    for p, q in ((1, 1), (2, 1), (1, 2), (1, -1)):
        along = p * rows - q * columns
        lowest = int(along.min())
        # A profile nearly as long as the matrix would say nothing about it.
        if 2 * (int(along.max()) - lowest) > a.size:
            continue
        profile = np.zeros(int(along.max()) - lowest + 1, a.dtype)
        profile[along - lowest] = a
        used = np.zeros(len(profile), bool)
        used[along - lowest] = True
        if not used.all() or not np.array_equal(profile[along - lowest], a):
            continue
        difference = subtract_formulas(multiply_formulas(make_index(0), make_const(p)), multiply_formulas(make_index(1), make_const(q)))
        # A profile on both sides of 0 may depend on the distance alone: `abs(i - j)` reads better than a shifted index.
        if lowest < 0 < len(profile) + lowest - 1:
            yield from _find_mirrored(profile, -lowest, difference, find)
        formula = find(profile)
        if formula is not None:
            yield substitute_indices(formula, [subtract_formulas(difference, make_const(lowest))])


def find_symmetry(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Arrays of one axis that are symmetric about their middle, or antisymmetric."""
    if a.ndim == 1 and len(a) > 2:
        middle = (len(a) - 1) // 2
        if len(a) % 2:
            yield from _find_mirrored(a, middle, subtract_formulas(make_index(0), make_const(middle)), find)
        else:
            yield from _find_mirrored_halves(a, find)


def _find_mirrored_halves(a: Array, find: FindFormula) -> Iterator[Formula]:
    import numpy as np

    if np.array_equal(a, a[::-1]):
        formula = find(a[: len(a) // 2])
        if formula is not None:
            yield substitute_indices(
                formula, [CallFormula("min", (make_index(0), subtract_formulas(make_const(len(a) - 1), make_index(0))))]
            )


def _find_mirrored(profile: Array, middle: int, offset: Formula, find: FindFormula) -> Iterator[Formula]:
    """Yield the formula of a symmetric profile. `offset` is the formula of the signed distance from the middle."""
    import numpy as np

    # The middle need not be in the middle of the array. The longer side decides, and the shorter one must agree with it.
    reach = min(middle, len(profile) - 1 - middle)
    up, down = profile[middle:], profile[middle::-1]
    longer = up if len(up) >= len(down) else down
    sides = up[: reach + 1], down[: reach + 1]
    even, odd = np.array_equal(*sides), profile.dtype.kind != "b" and np.array_equal(sides[0], -sides[1])
    formula = find(longer) if even or odd else None
    if formula is None:
        return
    size = substitute_indices(formula, [make_call("abs", offset)])
    if even:
        yield size
    else:
        sign = (make_const(-1), make_const(1)) if longer is up else (make_const(1), make_const(-1))
        yield multiply_formulas(make_where(make_comparison("<", offset, ZERO), *sign), size)


def find_border(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Arrays whose first index of some axes follows another rule: the class token before the positions of an image."""
    if a.ndim > 3 or a.size < 16:
        return
    # Relative positions of a vision transformer are square, and the class token is first on both axes at once.
    square = len(set(a.shape)) == 1
    axes = tuple(range(a.ndim)) if square else ()
    for chosen in dict.fromkeys((axes, *((k,) for k in range(a.ndim)))):
        if not chosen or any(a.shape[k] < 4 for k in chosen):
            continue
        inner = find(a[tuple(slice(1, None) if k in chosen else slice(None) for k in range(a.ndim))])
        if inner is None:
            continue
        formula = substitute_indices(
            inner, [subtract_formulas(make_index(k), make_const(1)) if k in chosen else make_index(k) for k in range(a.ndim)]
        )
        for k in reversed(chosen):
            rest = [slice(1, None) if other in chosen and other > k else slice(None) for other in range(a.ndim)]
            rest[k] = slice(0, 1)
            edge = find(a[tuple(rest)])
            if edge is None:
                break
            indices = [subtract_formulas(make_index(o), make_const(1)) if o in chosen and o > k else make_index(o) for o in range(a.ndim)]
            formula = make_where(make_comparison("==", make_index(k), ZERO), substitute_indices(edge, indices), formula)
        else:
            yield formula


def find_piecewise(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Arrays with a formula for each index of a short axis, for each half of the last axis, or for its even and its odd indices.

    Sinusoidal positions are both: sines in one half and cosines in the other, or interleaved.
    """
    for axis in reversed(range(a.ndim)):
        if a.shape[axis] <= _SLICES and a.ndim > 1:
            # The axis stays, with size 1, so that the formulas of the parts keep the numbers of the other axes.
            parts = [find(a.take([k], axis)) for k in range(a.shape[axis])]
            if all(part is not None for part in parts):
                yield _join_cases(axis, [part for part in parts if part is not None])
            return
    last, size = a.ndim - 1, a.shape[-1]
    if a.dtype.kind != "f" or size % 2 or size < 8:
        return
    first, second = a[..., : size // 2], a[..., size // 2 :]
    even, odd = a[..., ::2], a[..., 1::2]
    here = [make_index(k) for k in range(last)]
    is_first = make_comparison("<", make_index(last), make_const(size // 2))
    for first_part, second_part, test, places in (
        (first, second, is_first, (make_index(last), subtract_formulas(make_index(last), make_const(size // 2)))),
        # Both branches of `where` are computed for all indices, and a list has no item before its first one or after its last one.
        (first, second, is_first, (take_remainder(make_index(last), size // 2),) * 2),
        (
            even,
            odd,
            make_comparison("==", take_remainder(make_index(last), 2), ZERO),
            (floor_divide(make_index(last), 2), floor_divide(make_index(last), 2)),
        ),
    ):
        then = find(first_part)
        otherwise = find(second_part) if then is not None else None
        if then is not None and otherwise is not None:
            yield make_where(test, substitute_indices(then, [*here, places[0]]), substitute_indices(otherwise, [*here, places[1]]))


def _join_cases(axis: int, parts: list[Formula]) -> Formula:
    formula = parts[-1]
    for k in reversed(range(len(parts) - 1)):
        if parts[k] != formula:
            formula = make_where(make_comparison("==", make_index(axis), make_const(k)), parts[k], formula)
    return formula


def find_negated(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Arrays without positive elements, as the negative of another formula."""
    if a.dtype.kind in "if" and (a <= 0).all():
        formula = find(-a)
        if formula is not None:
            yield negate_formula(formula)


def find_offset(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Integers that begin at another number than zero, as the sum of that number and another formula."""
    lowest = int(a.min()) if a.dtype.kind == "i" else 0
    if lowest and a.ndim == 1:
        formula = find(a - lowest)
        if formula is not None:
            yield add_formulas(formula, make_const(lowest))
