"""Pools: definitions for the files of Flax."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...python.array_library.array_convolution import each_axis
from ...python.array_library.array_pooling import max_pool_with_indices, pick_largest, window_pads


def max_pool(
    x: jax.Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    ceil_mode: bool = False,
) -> jax.Array:
    """The maximum of each window: [N, C, ...] -> [N, C, ...]."""
    axes = x.ndim - 2
    strides = each_axis(kernel_size if stride is None else stride, axes)
    pads = ((0, 0), (0, 0), *window_pads(x, kernel_size, strides, each_axis(padding, axes), (1,) * axes, ceil_mode))
    low = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return jax.lax.reduce_window(x, np.array(low, x.dtype), jax.lax.max, (1, 1, *kernel_size), (1, 1, *strides), pads)


def dilated_max_pool(
    x: jax.Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """The maximum of each window of elements that are `dilation` apart. `reduce_window` has no gradient of such windows."""
    return max_pool_with_indices(x, kernel_size, stride, padding, dilation, ceil_mode)[0]


def sum_windows(x: jax.Array, kernel_size: Any, strides: Any, pads: Any) -> jax.Array:
    """The sum of each window: [N, C, ...] -> [N, C, ...]."""
    zero = np.zeros((), x.dtype)
    pads = ((0, 0), (0, 0), *pads)
    return jax.lax.reduce_window(x, zero, jax.lax.add, (1, 1, *kernel_size), (1, 1, *strides), pads)


def max_unpool(
    x: jax.Array,
    indices: jax.Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_size: tuple[int, ...] | None = None,
) -> jax.Array:
    """Puts maxima where they were, and zeros elsewhere: [N, C, ...] -> [N, C, ...]."""
    if output_size is None:
        sides = zip(x.shape[2:], kernel_size, stride, padding, strict=True)
        output_size = tuple((size - 1) * s - 2 * p + k for size, k, s, p in sides)
    flat = jnp.zeros((*x.shape[:2], math.prod(output_size)), x.dtype)
    flat = jnp.put_along_axis(flat, indices.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), 2, inplace=False)
    return flat.reshape(*x.shape[:2], *output_size)


def fractional_max_pool(
    x: jax.Array, samples: jax.Array, kernel_size: tuple[int, ...], output_size: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """The maxima of windows at places that random numbers choose, and their indices within the spatial axes.

    x: [N, C, ...], samples: [N, C, axes] -> two tensors [N, C, *output_size].
    """

    def pool(image: jax.Array, sample: jax.Array) -> tuple[jax.Array, jax.Array]:
        indices = []
        for size, k, count, u in zip(image.shape, kernel_size, output_size, sample[::-1], strict=True):
            alpha = (size - k) / (count - 1) if count > 1 else 0.0
            starts = jnp.floor((jnp.arange(count) + u) * alpha) - jnp.floor(u * alpha)
            starts = jnp.where(jnp.arange(count) == count - 1, size - k, starts).astype(int)
            indices.append(starts[:, None] + jnp.arange(k))
        places = jnp.arange(image.size).reshape(1, 1, *image.shape)
        values, at = pick_largest(image[None, None], places, indices)
        return values[0, 0], at[0, 0]

    return jax.vmap(jax.vmap(pool))(x, samples)
