"""Distances, resampling and windows of images: definitions for the files of Flax."""

from __future__ import annotations

import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ...python.array_library.array_pooling import adaptive_windows
from ...python.array_library.array_resampling import unfold


def fold(x: jax.Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> jax.Array:
    """The sums of overlapping windows, which `unfold` takes apart: [..., C * taps, windows] -> [..., C, H, W]."""
    channels = x.shape[-2] // math.prod(kernel_size)
    zeros = jnp.zeros((*x.shape[:-2], channels, *output_size), jnp.promote_types(x.dtype, jnp.float16))
    back = jax.linear_transpose(lambda image: unfold(image, kernel_size, dilation, padding, stride), zeros)
    return back(x.astype(zeros.dtype))[0].astype(x.dtype)


def cubic(x: Any, a: float) -> Any:
    """The kernel of cubic interpolation."""
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def resize_weights(size: int, count: int, ratio: float, mode: str, align_corners: bool, antialias: bool) -> Any:
    """How much each element of an axis is worth for each element of the resampled axis: [count, size]."""
    place = np.arange(count, dtype=np.float64)
    if mode == "area":
        index, sizes = adaptive_windows(size, count)
        weights = np.zeros((count, size))
        used = np.arange(index.shape[1]) < sizes[:, None]
        np.add.at(weights, (np.arange(count)[:, None], index), used / sizes[:, None])
        return weights
    if align_corners:
        ratio = (size - 1) / (count - 1) if count > 1 else 0.0
    center = place * ratio if align_corners and not antialias else (place + 0.5) * ratio - 0.5
    if antialias:
        scale = max(ratio, 1.0)
        distance = np.abs(np.arange(size) - center[:, None]) / scale
        if mode == "lanczos":
            weights = np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
        else:
            weights = np.maximum(1 - distance, 0) if mode != "bicubic" else cubic(distance, -0.5)
        return weights / weights.sum(1, keepdims=True)
    if mode != "bicubic":
        center = np.clip(center, 0, size - 1)
    taps = np.floor(center)[:, None] + (np.arange(-1, 3) if mode == "bicubic" else np.arange(2))
    distance = np.abs(taps - center[:, None])
    values = cubic(distance, -0.75) if mode == "bicubic" else np.maximum(1 - distance, 0)
    weights = np.zeros((count, size))
    np.add.at(weights, (np.arange(count)[:, None], np.clip(taps, 0, size - 1).astype(int)), values)
    return weights


def nearest_places(size: int, count: int, ratio: float, offset: float) -> Any:
    """The index of the nearest element for each element of the resampled axis, computed in float32."""
    places = np.float32(ratio) * (np.arange(count, dtype=np.float32) + np.float32(offset))
    return np.minimum(places.astype(int), size - 1)


def interpolate(
    x: jax.Array,
    size: tuple[int, ...],
    ratios: tuple[float | None, ...],
    mode: str = "nearest",
    align_corners: bool = False,
    antialias: bool = False,
) -> jax.Array:
    """Resamples the spatial axes. `ratios` are the steps between elements, if not the ratios of the sizes."""
    for axis, (count, ratio) in enumerate(zip(size, ratios, strict=True), start=2):
        if antialias and count == x.shape[axis]:
            continue  # the axis stays as it is, even if the ratio is another one
        step = x.shape[axis] / count if ratio is None else ratio
        if mode.startswith("nearest"):
            x = jnp.take(x, nearest_places(x.shape[axis], count, step, 0.5 if mode == "nearest-exact" else 0.0), axis=axis)
        else:
            weights = resize_weights(x.shape[axis], count, step, mode, align_corners, antialias)
            y = jnp.tensordot(x, jnp.asarray(weights, x.dtype), (axis, 1), precision="highest")
            x = jnp.moveaxis(y, -1, axis)
    return x
