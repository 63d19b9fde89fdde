"""Finds integers that are sums of the digits of indices, or of arrays with fewer axes.

The index of relative positions in windows of 7 x 7 is `(i // 7 - j // 7 + 6) * 13 + (i % 7 - j % 7 + 6)`.

In: an array of integers. Out: candidate formulas, the simplest first. Always: one array has always the same candidates.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from netc.dsl.record import Record

from ...ops.formula import CallFormula, Formula
from .simplify_formulas import (
    ZERO,
    FindFormula,
    add_formulas,
    floor_divide,
    make_const,
    make_index,
    multiply_formulas,
    substitute_indices,
    subtract_formulas,
    take_remainder,
)

if TYPE_CHECKING:
    from ...types.numpy_types import Array

_MOST_TERMS = 12
_MOST_SPLITS = 24


class Digit(Record):
    """A multiple of one digit of an index: `coefficient * (axis // stride % size)`. The `last` digit of an index needs no `%`."""

    coefficient: int
    axis: int
    stride: int
    size: int
    last: bool

    @property
    def formula(self) -> Formula:
        quotient = floor_divide(make_index(self.axis), self.stride)
        return quotient if self.last else take_remainder(quotient, self.size)


def find_digit_sums(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Sums over the axes, where each axis adds multiples of the digits of its own index."""
    import numpy as np

    if a.dtype.kind != "i":
        return
    total, all_digits = np.zeros((), np.int64), list[Digit]()
    for axis in range(a.ndim):
        # In such a sum the line along an axis through the first element has all digits of that axis.
        profile = a[tuple(slice(None) if other == axis else 0 for other in range(a.ndim))]
        digits = _find_digits(profile, axis)
        if digits is None or len(all_digits) + len(digits) > _MOST_TERMS:
            return
        all_digits += digits
        total = total[..., None] + (profile - profile[0])
    start = int(a.flat[0])
    if np.array_equal(total + start, a):
        yield _digits_to_formula(all_digits, start)


def find_clipped_ramps(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Numbers of one axis that grow by equal steps between two bounds, or beyond one bound: `max(i - 4, 0)`."""
    import numpy as np

    steps = np.diff(a) if a.dtype.kind == "i" and a.ndim == 1 else a[:0]
    moving = np.flatnonzero(steps)
    # One step only is a mask, and steps everywhere are a plain range.
    if not 2 <= moving.size < steps.size:
        return
    middle = int(moving[moving.size // 2])
    step = int(steps[middle])
    start = int(a[middle]) - step * middle
    formula = add_formulas(multiply_formulas(make_index(0), make_const(step)), make_const(start))
    for bound, index in zip(("max", "min") if step > 0 else ("min", "max"), (0, steps.size), strict=True):
        formula = formula if a[index] == start + step * index else CallFormula(bound, (formula, make_const(int(a[index]))))
    yield formula


def _find_digits(profile: Array, axis: int) -> list[Digit] | None:
    """Return the digits of one index, the fastest first, or None if the profile is no sum of digits."""
    import numpy as np

    result, stride = list[Digit](), 1
    while len(profile) > 1:
        places = np.arange(len(profile))
        step = int(profile[1] - profile[0])
        (wrong,) = np.nonzero(profile != profile[0] + step * places)
        size = int(wrong[0]) if len(wrong) else len(profile)
        if step:
            result.append(Digit(step, axis, stride, size, last=not len(wrong)))
        if not np.array_equal(profile, step * (places % size) + profile[places // size * size]) or len(result) > _MOST_TERMS:
            return None
        profile, stride = profile[::size], stride * size
    return result


def _digits_to_formula(digits: list[Digit], start: int) -> Formula:
    """Write the sum. Digits of equal size that count up and down become one difference, shifted to begin at 0 where the start allows it."""
    remaining = sorted(digits, key=lambda d: (-abs(d.coefficient), d.axis, -d.stride))
    groups: list[tuple[int, Formula, int]] = []
    while remaining:
        first = remaining.pop(0)
        other = next((d for d in remaining if d.coefficient == -first.coefficient and d.size == first.size), None)
        if other is None:
            groups.append((first.coefficient, first.formula, 0))
            continue
        remaining.remove(other)
        up, down = (first, other) if first.coefficient > 0 else (other, first)
        groups.append((up.coefficient, subtract_formulas(up.formula, down.formula), up.size - 1))
    # `i - j + 6` with its least value 0 shows what the number 6 is for, which one large constant at the end would hide.
    rest = start - sum(c * low for c, _, low in groups)
    inside = rest == 0 or abs(rest) < abs(start)
    formula_sum: Formula = ZERO
    for coefficient, formula, low in groups:
        formula_sum = add_formulas(
            formula_sum, multiply_formulas(make_const(coefficient), add_formulas(formula, make_const(low if inside else 0)))
        )
    return add_formulas(formula_sum, make_const(rest if inside else start))


def find_axis_sums(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Sums of two arrays that have some of the axes each."""
    import numpy as np

    if a.dtype.kind != "i" or not 3 <= a.ndim <= 6:
        return
    for chosen in range(1, 2 ** (a.ndim - 1)):
        some_axes = tuple(axis for axis in range(a.ndim) if chosen >> axis & 1)
        other_axes = tuple(axis for axis in range(a.ndim) if axis not in some_axes)
        first = a[tuple(slice(None) if axis in some_axes else slice(0, 1) for axis in range(a.ndim))]
        second = a[tuple(slice(None) if axis in other_axes else slice(0, 1) for axis in range(a.ndim))] - a.flat[0]
        if np.array_equal(first + second, a):
            first_formula, second_formula = find(first.squeeze(other_axes)), find(second.squeeze(some_axes))
            if first_formula is not None and second_formula is not None:
                yield add_formulas(
                    substitute_indices(second_formula, [make_index(k) for k in other_axes]),
                    substitute_indices(first_formula, [make_index(k) for k in some_axes]),
                )
            return


def find_image_grids(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Pairs of positions in an image that was flattened: each index is a row and a column, `i // 7` and `i % 7`."""
    if a.ndim != 2 or a.dtype.kind != "i" or min(a.shape) < 4:
        return
    pairs = sorted(product(_list_factors(a.shape[0]), _list_factors(a.shape[1])), key=lambda p: _measure_unevenness(p, a.shape))
    for h, w in pairs[:_MOST_SPLITS]:
        parts = a.reshape(a.shape[0] // h, h, a.shape[1] // w, w)
        for formula in find_axis_sums(parts, find):
            yield substitute_indices(
                formula,
                [
                    floor_divide(make_index(0), h),
                    take_remainder(make_index(0), h),
                    floor_divide(make_index(1), w),
                    take_remainder(make_index(1), w),
                ],
            )


def _measure_unevenness(sizes: tuple[int, int], shape: Any) -> tuple[int, int]:
    return sum(abs(n // s - s) for n, s in zip(shape, sizes, strict=True)), sizes[0]


def _list_factors(number: int) -> list[int]:
    return [d for d in range(2, number) if number % d == 0]


def find_outer_products(a: Array, find: FindFormula) -> Iterator[Formula]:
    """Outer products of a vector over the first axis and an array over the others."""
    import numpy as np

    if a.ndim < 2 or a.dtype.kind not in "if" or not np.isfinite(a).all():
        return
    for column, row in _divide_product(a):
        column_formula, row_formula = find(column), find(row)
        if column_formula is not None and row_formula is not None:
            yield multiply_formulas(column_formula, substitute_indices(row_formula, [make_index(k) for k in range(1, a.ndim)]))


def _divide_product(a: Array) -> Iterator[tuple[Array, Array]]:
    """Yield vectors over the first axis and arrays over the others whose products are the array, or near to it."""
    import numpy as np

    # Of two elements of one size, a positive one gives factors without a sign.
    signed = a if a.max() >= -a.min() else -a
    largest: tuple[Any, ...] = tuple(int(k) for k in np.unravel_index(int(signed.argmax()), a.shape))
    row, column = a[largest[0]], a[(slice(None), *largest[1:])]
    if a.dtype.kind == "i":
        # The common divisor belongs to the column, so that the division below has no remainder.
        row = row // np.gcd.reduce(row.reshape(-1))
        column = column // row[largest[1:]]
        if np.array_equal(column.reshape(-1, *(1,) * row.ndim) * row, a):
            yield column, row
        return
    # The angles of rotary embedding: a coordinate times a frequency. One factor is divided by the largest element. A rounding error of the
    # coordinates is in the column, where dividing hides it, so both ways are tried.
    peak = a[largest].astype(np.float64)
    if peak and np.allclose(column.reshape(-1, *(1,) * row.ndim).astype(np.float64) * row, a * peak, rtol=1e-6, atol=0):
        yield (column / peak).astype(a.dtype), row
        yield column, (row / peak).astype(a.dtype)
