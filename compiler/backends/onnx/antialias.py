"""Computes the weights of resizing with `antialias`, where ONNX's Resize differs from PyTorch or lacks the mode.

In: how an axis of known size is resized. Out: for each result the positions that it is a sum of, and their weights. Always: the weights of
a result sum to 1. An axis whose size stays is left unchanged.

    >>> table = make_weight_table(Stretch(4, 2), "bilinear", align_corners=False, dtype=np.dtype("float32"))
    >>> table.positions.tolist(), table.weights.sum(axis=1).tolist()
    ([[0, 1, 2], [1, 2, 3]], [1.0, 1.0])
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

from ...ops.resampling import Stretch

Weights = NDArray[np.float64]


class Kernel(Record):
    """The function of the distance that weighs a position, and the greatest distance with a weight."""

    weigh: Callable[[Weights], Weights]
    reach: int


def _weigh_triangle(x: Weights) -> Weights:
    weights: Weights = np.maximum(1 - np.abs(x), 0)
    return weights


def _weigh_cubic(x: Weights) -> Weights:
    """Keys' cubic with a = -1/2."""
    x = np.abs(x)
    near, far = (1.5 * x - 2.5) * x * x + 1, ((2.5 - 0.5 * x) * x - 4) * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0))


def _weigh_lanczos(x: Weights) -> Weights:
    """Return sinc, windowed by a wider sinc."""
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


KERNELS = {"bilinear": Kernel(_weigh_triangle, 1), "bicubic": Kernel(_weigh_cubic, 2), "lanczos": Kernel(_weigh_lanczos, 3)}
"""The kernels by mode."""


class WeightTable(Record):
    """For each result a row: positions, a mask of those that belong to it (the others repeat its last one, with weight 0), and weights."""

    positions: NDArray[np.int64]
    inside: NDArray[np.bool_]
    weights: NDArray[np.floating]


def make_weight_table(stretch: Stretch, mode: str, *, align_corners: bool, dtype: np.dtype[Any]) -> WeightTable:
    """Compute PyTorch's positions and weights for one axis."""
    size, count = stretch.size, stretch.result
    assert isinstance(size, int)
    assert isinstance(count, int)
    kernel = KERNELS[mode]
    # PyTorch aligns corners by the step alone: the position of the first result does not change.
    if align_corners:
        step = (size - 1) / (count - 1) if count > 1 else 0.0
    else:
        step = size / count if stretch.scale is None else 1 / stretch.scale
    # Reduced images take more positions into each result; enlarged ones keep the kernel's own reach.
    wide = max(step, 1.0)
    centers = step * (np.arange(count) + 0.5)
    first = np.maximum(np.trunc(centers - kernel.reach * wide + 0.5), 0).astype(np.int64)
    stop = np.minimum(np.trunc(centers + kernel.reach * wide + 0.5), size).astype(np.int64)
    positions = first[:, None] + np.arange((stop - first).max())
    inside = positions < stop[:, None]
    raw = np.where(inside, kernel.weigh((positions - centers[:, None] + 0.5) / wide), 0)
    weights: Weights = raw / raw.sum(axis=1, keepdims=True)
    return WeightTable(np.minimum(positions, stop[:, None] - 1), inside, weights.astype(dtype))
