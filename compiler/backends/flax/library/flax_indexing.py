"""Look-ups, sorting and reductions by index: definitions for the files of Flax."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np


def unpacked(values: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A constant whose bytes are the text, compressed."""
    content = zlib.decompress(base64.b64decode(values))
    return np.frombuffer(content, jnp.dtype(dtype)).reshape(shape)


def along_axis(index: jax.Array, axis: int) -> tuple[jax.Array, ...]:
    """The index along one axis, and each place's own along the others."""
    # `jnp.indices` refuses symbolic sizes.
    shapes = [[-1 if other == own else 1 for other in range(index.ndim)] for own in range(index.ndim)]
    places = [jnp.arange(size).reshape(shape) for size, shape in zip(index.shape, shapes, strict=True)]
    places[axis] = index
    return tuple(places)


def gather(x: jax.Array, index: jax.Array, axis: int) -> jax.Array:
    """The elements at the index along one axis. The other axes of `index` may be shorter than the axes of `x`."""
    if not x.ndim or not index.ndim:
        return jnp.broadcast_to(x.reshape(-1)[index], index.shape)
    return x[along_axis(index, axis)]


def scatter(x: jax.Array, index: jax.Array, value: Any, axis: int, method: str = "set") -> jax.Array:
    """The tensor with values at the index along one axis."""
    if not x.ndim or not index.ndim:
        value = jnp.reshape(value, -1) if jnp.ndim(value) else value
        return scatter(x.reshape(-1), index.reshape(-1), value, 0, method).reshape(x.shape)
    if jnp.ndim(value):
        value = value[tuple(slice(size) for size in index.shape)]
    name = {"maximum": "max", "minimum": "min"}.get(method, method)
    return getattr(x.at[along_axis(index, axis)], name)(value)


def index_add(x: jax.Array, index: jax.Array, source: jax.Array, axis: int, alpha: float = 1) -> jax.Array:
    """The tensor with `alpha * source` added at the index along one axis."""
    if not x.ndim:
        return x + alpha * source.sum()
    where = (slice(None),) * axis + (index.reshape(-1),)
    if x.dtype == bool:
        return x.at[where].max(source & bool(alpha))
    return x.at[where].add((alpha * source).astype(x.dtype))


def pad(x: jax.Array, pads: tuple[tuple[int, int], ...], value: float) -> jax.Array:
    """The tensor with a value at its ends, or without its ends where the amounts are negative."""
    return jax.lax.pad(x, np.array(value, x.dtype), [(before, after, 0) for before, after in pads])


def top_k(x: jax.Array, k: int, axis: int = -1, largest: bool = True) -> tuple[jax.Array, jax.Array]:
    """The largest or smallest elements along an axis, and their indices."""
    if not x.ndim:
        return x, jnp.zeros((), int)
    indices = jnp.argsort(x, axis=axis, descending=largest)
    indices = jax.lax.slice_in_dim(indices, 0, k, axis=axis)
    return jnp.take_along_axis(x, indices, axis=axis), indices


def diag_embed(x: jax.Array, offset: int = 0, axis1: int = -2, axis2: int = -1) -> jax.Array:
    """Matrices with the last axis on a diagonal."""
    size = x.shape[-1] + abs(offset)
    rows = jnp.arange(x.shape[-1]) + max(-offset, 0)
    matrices = jnp.zeros((*x.shape[:-1], size, size), x.dtype).at[..., rows, rows + offset].set(x)
    return jnp.moveaxis(matrices, (-2, -1), (axis1, axis2))


def grouped_linear(x: jax.Array, index: jax.Array, weight: jax.Array) -> jax.Array:
    """Multiplies each row by the matrix of its group, one group after the other.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    start = jnp.zeros((*x.shape[:-1], weight.shape[1]), jnp.promote_types(x.dtype, weight.dtype))

    def add(total: jax.Array, group: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        number, matrix = group
        return jnp.where((index == number)[..., None], x @ matrix.T, total), None

    return jax.lax.scan(add, start, (jnp.arange(len(weight)), weight))[0]
