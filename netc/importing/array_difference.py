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
    """Return the largest difference, relative to the largest finite number of the expected array.

    >>> measure_difference(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    0.5
    """
    if not result.size:
        return 0.0
    if result.dtype.kind != "c" and not is_float(result):
        return 0.0 if np.array_equal(result, expected) else 1.0
    a, b = result.astype(np.float64), expected.astype(np.float64)
    # Equal infinities and NaN in the same place agree.
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(b)
    # 1e-30 for an array of zeros, from which any other number differs by more than the limit
    scale = max(float(np.max(np.abs(b[finite]), initial=0.0)), 1e-30)
    return float(np.max(np.where(same, 0.0, np.abs(a - b)), initial=0.0)) / scale if bool(np.all(same | finite)) else float("inf")
