"""The positions that PyTorch reads the nearest elements from, rounded in float32 as its kernels do.

In: how many elements are made, and the distance of two of them in the input. Out: a position for each. Always: positions count from 0,
and the last ones may be beyond the end of the input.

    >>> round_positions(4, np.float32(0.6), exact=False).tolist()
    [0, 0, 1, 1]
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]
F32 = np.float32


def round_positions(count: int, step: np.float32, *, exact: bool) -> Positions:
    """Return the positions of `nearest`, or with `exact` of `nearest-exact`, which reads from the centers of the elements."""
    results = np.arange(count).astype(F32)
    positions = results * step
    if exact:
        # PyTorch is built to multiply and subtract in one step, with one rounding.
        centers = (np.float64(step) * (results + F32(0.5)).astype(np.float64) - 0.5).astype(F32)
        positions = np.maximum(centers, F32(0)) + F32(0.5)
    rounded: Positions = np.floor(positions).astype(np.int64)
    return rounded
