"""Pools: definitions for the files of MLX."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import mlx.core as mx

from ...python.array_library.array_pooling import gather_windows


def pick_largest(x: mx.array, places: mx.array, indices: Sequence[Any]) -> tuple[mx.array, mx.array]:
    """The largest element of each window, and its place."""
    windows = gather_windows(x, indices)
    best = windows.argmax(-1, keepdims=True)
    at = mx.broadcast_to(gather_windows(places, indices), windows.shape).astype(mx.int64)
    return tuple(mx.take_along_axis(values, best, axis=-1)[..., 0] for values in (windows, at))
