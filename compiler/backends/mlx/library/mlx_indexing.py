"""Look-ups, sorting and reductions by index: definitions for the files of MLX."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import mlx.core as mx
import numpy as np

from ...python.array_library.array_indexing import along_axis


def unpacked(values: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A constant whose bytes are the text, compressed."""
    content = zlib.decompress(base64.b64decode(values))
    return np.frombuffer(content, dtype).reshape(shape)


def place_extremes(x: mx.array, where: Any, values: mx.array, method: str) -> mx.array:
    """The extremes of elements and of the values at an index. NaN stays, and equal ones share the gradient, unlike in MLX."""

    @mx.custom_function
    def vanish(x: mx.array) -> mx.array:
        """Zeros, also for infinite numbers, with the gradient of the numbers."""
        return mx.zeros_like(x)

    vanish.vjp(lambda x, gradient, zeros: gradient)
    best = getattr(x.at[where], method)(values)
    if not mx.issubdtype(x.dtype, mx.floating):
        return best
    unknown = mx.isnan(x).astype(x.dtype).at[where].add(mx.isnan(values).astype(x.dtype))
    best = mx.stop_gradient(mx.where(unknown > 0, mx.nan, best))
    old, new = x == best, values == best[where]
    count = old.astype(mx.float32).at[where].add(new.astype(mx.float32))
    kept, placed = mx.where(old, vanish(x), 0), mx.where(new, vanish(values), 0)
    return best + (kept.at[where].add(placed) / mx.maximum(count, 1)).astype(x.dtype)


def scatter(x: mx.array, index: mx.array, value: Any, axis: int, method: str = "set") -> mx.array:
    """The tensor with values at the index along one axis."""
    is_tensor = isinstance(value, mx.array) and value.ndim > 0
    if not x.ndim or not index.ndim:
        value = value.reshape(-1) if is_tensor else value
        return scatter(x.reshape(-1), index.reshape(-1), value, 0, method).reshape(x.shape)
    if is_tensor:
        value = value[tuple(slice(size) for size in index.shape)]
    value = mx.broadcast_to(value if isinstance(value, mx.array) else mx.array(value, x.dtype), index.shape)
    where = along_axis(index, axis)
    if method in ("maximum", "minimum"):
        return place_extremes(x, where, value, method)
    if method != "set":
        return getattr(x.at[where], method)(value)
    y = mx.array(x)
    y[where] = value
    return y


def argsort(x: mx.array, axis: int = -1, descending: bool = False) -> mx.array:
    """The indices in the order of the elements along an axis. Equal ones keep their order."""
    x = mx.stop_gradient(x)
    if not descending:
        return mx.argsort(x, axis=axis).astype(mx.int64)
    return x.shape[axis] - 1 - mx.flip(mx.argsort(mx.flip(x, axis), axis=axis), axis).astype(mx.int64)


def sort(x: mx.array, axis: int = -1, descending: bool = False) -> tuple[mx.array, mx.array]:
    """The elements in order along an axis, and their indices."""
    indices = argsort(x, axis, descending)
    return mx.take_along_axis(x, indices, axis=axis), indices


def top_k(x: mx.array, k: int, axis: int = -1, largest: bool = True) -> tuple[mx.array, mx.array]:
    """The largest or smallest elements along an axis, and their indices."""
    if not x.ndim:
        return x, mx.array(0, mx.int64)
    values, indices = sort(x, axis, largest)
    return mx.split(values, [k], axis=axis)[0], mx.split(indices, [k], axis=axis)[0]
