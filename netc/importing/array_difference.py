"""Measures how much two arrays differ. In: arrays of one shape. Out: a number, infinite if only one of them has a finite number
somewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netc.compiler.types.numpy_types import is_float

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

LIMIT = 1e-5
"""The largest difference at which arrays count as equal, relative to the largest absolute value."""


def measure_difference(result: Array, expected: Array) -> float:
    """Return the largest difference, relative to the largest finite number of the expected array, of the same shape.

    It is infinite where only one of them has NaN or an infinity.

    >>> measure_difference(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    0.5
    """
    if not result.size:
        return 0.0
    if result.dtype.kind != "c" and not is_float(result):
        return 0.0 if np.array_equal(result, expected) else 1.0
    a, b = (np.stack([x.real, x.imag]).astype(np.float64) for x in (result, expected))
    # Equal infinities and NaN in the same place agree.
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(b)
    # 1e-30 for an array of zeros, from which any other number differs by more than the limit
    scale = max(float(np.max(np.abs(b[finite]), initial=0.0)), 1e-30)
    if not bool(np.all(same | (finite & np.isfinite(a)))):
        return float("inf")
    return float(np.max(np.abs(np.subtract(a, b, out=np.zeros_like(a), where=~same)), initial=0.0)) / scale
