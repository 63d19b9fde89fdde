"""Integers that are sums: of the digits of indices, as in `(i // 7 - j // 7 + 6) * 13 + (i % 7 - j % 7 + 6)`, or of parts of fewer axes.

In: an array of integers. Out: formulas that may give it. Always: of one array the same ones, the simplest first.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from typing import TYPE_CHECKING, Any

from netc.dsl.record import Record

from ...ops.formula import CallFormula, Formula
from .simplify_formulas import (
    ZERO,
    Find,
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
    """`coefficient` times a digit of an index: `axis // stride % size`, without `%` where the size is all that is left."""

    coefficient: int
    axis: int
    stride: int
    size: int
    last: bool

    @property
    def formula(self) -> Formula:
        quotient = floor_divide(make_index(self.axis), self.stride)
        return quotient if self.last else take_remainder(quotient, self.size)


def sums_of_digits(a: Array, find: Find) -> Iterator[Formula]:
    """Each axis by itself adds multiples of the digits of its index."""
    import numpy as np

    if a.dtype.kind != "i":
        return
    total, found = np.zeros((), np.int64), list[Digit]()
    for axis in range(a.ndim):
        profile = a[tuple(slice(None) if other == axis else 0 for other in range(a.ndim))]
        digits = _find_digits(profile, axis)
        if digits is None or len(found) + len(digits) > _MOST_TERMS:
            return
        found += digits
        total = total[..., None] + (profile - profile[0])
    start = int(a.flat[0])
    if np.array_equal(total + start, a):
        yield _digits_to_formula(found, start)


def find_clipped(a: Array, find: Find) -> Iterator[Formula]:
    """Numbers of one axis that grow by equal steps between two bounds, or from one on: `max(i - 4, 0)`."""
    import numpy as np

    steps = np.diff(a) if a.dtype.kind == "i" and a.ndim == 1 else a[:0]
    moving = np.flatnonzero(steps)
    if not 2 <= moving.size < steps.size:
        return
    middle = int(moving[moving.size // 2])
    step = int(steps[middle])
    start = int(a[middle]) - step * middle
    made = add_formulas(multiply_formulas(make_index(0), make_const(step)), make_const(start))
    for bound, at in zip(("max", "min") if step > 0 else ("min", "max"), (0, steps.size), strict=True):
        made = made if a[at] == start + step * at else CallFormula(bound, (made, make_const(int(a[at]))))
    yield made


def _find_digits(profile: Array, axis: int) -> list[Digit] | None:
    """The digits whose multiples the numbers are, from the first of them on."""
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
    """Digits of equal size that are counted up and down make one difference, which is at least 0 if the start says so."""
    left = sorted(digits, key=lambda d: (-abs(d.coefficient), d.axis, -d.stride))
    groups: list[tuple[int, Formula, int]] = []
    while left:
        first = left.pop(0)
        other = next((d for d in left if d.coefficient == -first.coefficient and d.size == first.size), None)
        if other is None:
            groups.append((first.coefficient, first.formula, 0))
            continue
        left.remove(other)
        up, down = (first, other) if first.coefficient > 0 else (other, first)
        groups.append((up.coefficient, subtract_formulas(up.formula, down.formula), up.size - 1))
    rest = start - sum(c * low for c, _, low in groups)
    inside = rest == 0 or abs(rest) < abs(start)
    whole: Formula = ZERO
    for coefficient, formula, low in groups:
        whole = add_formulas(whole, multiply_formulas(make_const(coefficient), add_formulas(formula, make_const(low if inside else 0))))
    return add_formulas(whole, make_const(rest if inside else start))


def sums_of_parts(a: Array, find: Find) -> Iterator[Formula]:
    """The sum of two arrays with some of the axes each."""
    import numpy as np

    if a.dtype.kind != "i" or not 3 <= a.ndim <= 6:
        return
    for chosen in range(1, 2 ** (a.ndim - 1)):
        ours = tuple(axis for axis in range(a.ndim) if chosen >> axis & 1)
        theirs = tuple(axis for axis in range(a.ndim) if axis not in ours)
        first = a[tuple(slice(None) if axis in ours else slice(0, 1) for axis in range(a.ndim))]
        second = a[tuple(slice(None) if axis in theirs else slice(0, 1) for axis in range(a.ndim))] - a.flat[0]
        if np.array_equal(first + second, a):
            one, other = find(first.squeeze(theirs)), find(second.squeeze(ours))
            if one is not None and other is not None:
                yield add_formulas(
                    substitute_indices(other, [make_index(k) for k in theirs]), substitute_indices(one, [make_index(k) for k in ours])
                )
            return


def find_splits(a: Array, find: Find) -> Iterator[Formula]:
    """Two indices that are two digits each: the positions of an image in rows, `i // 7` and `i % 7`."""
    if a.ndim != 2 or a.dtype.kind != "i" or min(a.shape) < 4:
        return
    pairs = sorted(product(_list_factors(a.shape[0]), _list_factors(a.shape[1])), key=lambda p: _measure_unevenness(p, a.shape))
    for h, w in pairs[:_MOST_SPLITS]:
        parts = a.reshape(a.shape[0] // h, h, a.shape[1] // w, w)
        for found in sums_of_parts(parts, find):
            yield substitute_indices(
                found,
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


def find_products(a: Array, find: Find) -> Iterator[Formula]:
    """A number for each index of the first axis, times one for those of the others."""
    import numpy as np

    if a.ndim < 2 or a.dtype.kind != "i":
        return
    at: tuple[Any, ...] = tuple(int(k) for k in np.unravel_index(int(np.abs(a).argmax()), a.shape))
    row = a[at[0]]
    row = row // np.gcd.reduce(row.reshape(-1))
    column = a[(slice(None), *at[1:])] // row[at[1:]]
    if np.array_equal(column.reshape(-1, *(1,) * row.ndim) * row, a):
        one, other = find(column), find(row)
        if one is not None and other is not None:
            yield multiply_formulas(one, substitute_indices(other, [make_index(k) for k in range(1, a.ndim)]))
