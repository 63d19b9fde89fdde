"""How much two arrays differ. In: arrays of one shape. Out: a number, infinite where one has a number and the other has none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from netc.compiler.types.numpy_types import is_float

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

LIMIT = 1e-5
"""The largest difference, of the largest absolute value, of arrays that are taken for the same."""


def difference(own: Array, other: Array) -> float:
    """The largest difference, relative to the largest finite number of the other array."""
    if not own.size:
        return 0.0
    if own.dtype.kind != "c" and not is_float(own):
        return 0.0 if np.array_equal(own, other) else 1.0
    a, b = own.astype(np.float64), other.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    finite = np.isfinite(b)
    scale = max(float(np.max(np.abs(b[finite]), initial=0.0)), 1e-30)
    return float(np.max(np.where(same, 0.0, np.abs(a - b)), initial=0.0)) / scale if bool(np.all(same | finite)) else float("inf")
