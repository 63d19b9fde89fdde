"""Look-ups, sorting and reductions by index: definitions for the files of MLX."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import mlx.core as mx
import numpy as np


def unpacked(values: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A constant whose bytes are the text, compressed."""
    content = zlib.decompress(base64.b64decode(values))
    return np.frombuffer(content, dtype).reshape(shape)


def exp2(x: mx.array) -> mx.array:
    """Powers of 2."""
    return mx.power(2.0, x)


def hypot(x: mx.array, other: mx.array) -> mx.array:
    """The length of the hypotenuse, without overflow in between."""
    large, small = mx.maximum(mx.abs(x), mx.abs(other)), mx.minimum(mx.abs(x), mx.abs(other))
    ratio = mx.where(small == 0, 0, small / large)
    return mx.where(mx.isinf(large), mx.inf, large * mx.sqrt(1 + ratio * ratio))


def fmod(x: mx.array, other: Any) -> mx.array:
    """The remainder with the sign of the dividend."""
    rest = mx.remainder(mx.abs(x), abs(other))
    return mx.where(x < 0, -rest, rest)


def left_shift(x: mx.array, other: Any) -> mx.array:
    """Moves bits to the left. Beyond the width of the type, nothing is left."""
    bits = 8 * x.itemsize
    inside = (other >= 0) & (other < bits)
    return mx.where(inside, x << mx.where(inside, other, 0).astype(x.dtype), 0).astype(x.dtype)


def right_shift(x: mx.array, other: Any) -> mx.array:
    """Moves bits to the right. Beyond the width of the type, the sign is left."""
    bits = 8 * x.itemsize
    inside = (other >= 0) & (other < bits)
    signed = mx.issubdtype(x.dtype, mx.signedinteger)
    y = x >> mx.where(inside, other, bits - 1).astype(x.dtype)
    return y if signed else mx.where(inside, y, 0).astype(x.dtype)


def one_hot(indices: mx.array, num_classes: int, dtype: mx.Dtype) -> mx.array:
    """Ones at the indices along a new last axis."""
    return (indices[..., None] == mx.arange(num_classes)).astype(dtype)


def vector_norm(x: mx.array, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> mx.array:
    """The norm of vectors. Its gradient at zero is zero."""
    x = mx.abs(x)
    if ord in (float("inf"), float("-inf")):
        return x.max(axis, keepdims=keepdims) if ord > 0 else x.min(axis, keepdims=keepdims)
    if ord == 0:
        return (x != 0).sum(axis, keepdims=keepdims).astype(x.dtype)
    total = (mx.square(x) if ord == 2 else x**ord).sum(axis, keepdims=keepdims)
    return mx.where(total == 0, 0, mx.where(total == 0, 1, total) ** (1 / ord)) if ord > 0 else total ** (1 / ord)


def normalize(x: mx.array, ord: Any = 2, axis: int = 1, eps: float = 1e-12) -> mx.array:
    """Vectors divided by their norms."""
    return x / mx.maximum(vector_norm(x, ord, axis, keepdims=True), eps)


def cumulative_extreme(x: mx.array, axis: int, largest: bool) -> tuple[mx.array, mx.array]:
    """The largest or smallest element so far, and its index: of equal ones, the last."""
    if not x.ndim:
        return x, mx.array(0, mx.int64)
    best = mx.cummax(x, axis=axis) if largest else mx.cummin(x, axis=axis)
    places = mx.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - 1 - axis))
    reached = mx.where((x == best) | mx.isnan(x), places, 0)
    return best, mx.cummax(reached, axis=axis).astype(mx.int64)


def along_axis(index: mx.array, axis: int) -> tuple[mx.array, ...]:
    """The index along one axis, and each place's own along the others."""
    places = [mx.arange(size).reshape(-1, *[1] * (index.ndim - 1 - i)) for i, size in enumerate(index.shape)]
    places[axis] = index
    return tuple(places)


def gather(x: mx.array, index: mx.array, axis: int) -> mx.array:
    """The elements at the index along one axis: the other axes of `index` may be shorter than those of `x`."""
    if not x.ndim or not index.ndim:
        return mx.broadcast_to(x.reshape(-1)[index], index.shape)
    return x[along_axis(index, axis)]


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
    if method != "set":
        return getattr(x.at[where], method)(value)
    y = mx.array(x)
    y[where] = value
    return y


def scatter_reduce(x: mx.array, index: mx.array, src: mx.array, axis: int, reduce: str, include_self: bool = True) -> mx.array:
    """The sums, products, means or extremes of the values at each index along one axis."""
    method = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "maximum", "amin": "minimum"}[reduce]
    is_float = mx.issubdtype(x.dtype, mx.floating)
    if not include_self:
        low, high = (-mx.inf, mx.inf) if is_float else (mx.iinfo(x.dtype).min, mx.iinfo(x.dtype).max)
        x = scatter(x, index, {"add": 0, "multiply": 1, "maximum": low, "minimum": high}[method], axis)
    total = scatter(x, index, src, axis, method)
    if reduce != "mean":
        return total
    counts = scatter(mx.full(x.shape, int(include_self), x.dtype), index, mx.ones_like(src), axis, "add")
    counts = mx.maximum(counts, 1)
    return total / counts if is_float else total // counts


def index_add(x: mx.array, index: mx.array, source: mx.array, axis: int, alpha: float = 1) -> mx.array:
    """The tensor with `alpha * source` added at the index along one axis."""
    if not x.ndim:
        return x + alpha * source.sum()
    where = (slice(None),) * axis + (index.reshape(-1),)
    if x.dtype == mx.bool_:
        return x.astype(mx.int32).at[where].maximum((source & bool(alpha)).astype(mx.int32)).astype(mx.bool_)
    return x.at[where].add((alpha * source).astype(x.dtype))


def pad(x: mx.array, pads: tuple[tuple[int, int], ...], value: float) -> mx.array:
    """The tensor with a value at its ends, or without its ends where the amounts are negative."""
    x = x[tuple(slice(max(-before, 0), size - max(-after, 0)) for (before, after), size in zip(pads, x.shape, strict=True))]
    return mx.pad(x, [(max(before, 0), max(after, 0)) for before, after in pads], constant_values=mx.array(value, x.dtype))


def argsort(x: mx.array, axis: int = -1, descending: bool = False) -> mx.array:
    """The indices in the order of the elements along an axis. Equal ones keep their order."""
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


def diag_embed(x: mx.array, offset: int = 0, axis1: int = -2, axis2: int = -1) -> mx.array:
    """Matrices with the last axis on a diagonal."""
    size = x.shape[-1] + abs(offset)
    rows = mx.arange(x.shape[-1]) + max(-offset, 0)
    columns = mx.arange(size)
    diagonal = (rows[:, None, None] == columns[:, None]) & (rows[:, None, None] + offset == columns)
    matrices = mx.where(diagonal, x[..., None, None], 0).sum(-3).astype(x.dtype)
    first, second = sorted((axis1 % matrices.ndim, axis2 % matrices.ndim))
    matrices = matrices if axis1 % matrices.ndim < axis2 % matrices.ndim else matrices.swapaxes(-1, -2)
    return mx.moveaxis(mx.moveaxis(matrices, -2, first), -1, second)


def grouped_linear(x: mx.array, index: mx.array, weight: mx.array) -> mx.array:
    """Multiplies each row by the matrix of its group, one group after the other.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    total = mx.zeros((*x.shape[:-1], weight.shape[1]), mx.result_type(x, weight))
    for number, matrix in enumerate(weight):
        total = mx.where((index == number)[..., None], x @ matrix.T, total)
    return total
