"""Distances, resampling and windows of images: definitions for the files of Flax."""

from __future__ import annotations

import itertools
import math
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from .flax_convolution import each_axis
from .flax_indexing import vector_norm
from .flax_pooling import adaptive_windows, gather_windows, slide


def cdist(x: jax.Array, other: jax.Array, p: float = 2) -> jax.Array:
    """The distances of all pairs of rows: [..., n, k], [..., m, k] -> [..., n, m]."""
    return vector_norm(x[..., :, None, :] - other[..., None, :, :], p, -1)


def pixel_shuffle(x: jax.Array, upscale_factor: int) -> jax.Array:
    """Channels to space: [..., C * r * r, H, W] -> [..., C, H * r, W * r]."""
    r, (height, width) = upscale_factor, x.shape[-2:]
    blocks = x.reshape(-1, r, r, height, width).transpose(0, 3, 1, 4, 2)
    return blocks.reshape(*x.shape[:-3], x.shape[-3] // r**2, height * r, width * r)


def pixel_unshuffle(x: jax.Array, downscale_factor: int) -> jax.Array:
    """Space to channels: [..., C, H * r, W * r] -> [..., C * r * r, H, W]."""
    r, (height, width) = downscale_factor, x.shape[-2:]
    blocks = x.reshape(-1, height // r, r, width // r, r).transpose(0, 2, 4, 1, 3)
    return blocks.reshape(*x.shape[:-3], x.shape[-3] * r**2, height // r, width // r)


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """The channels of groups in turn: [N, C, ...] -> the same shape."""
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def unfold(x: jax.Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> jax.Array:
    """The elements of each window as a column: [..., C, H, W] -> [..., C * taps, windows]."""
    images = x.reshape(-1, *x.shape[-3:])
    strides, dilations = each_axis(stride, 2), each_axis(dilation, 2)
    padded = jnp.pad(images, ((0, 0), (0, 0), *((p, p) for p in each_axis(padding, 2))))
    sides = zip(padded.shape[2:], kernel_size, strides, dilations, strict=True)
    windows = gather_windows(padded, [slide(*side) for side in sides])
    columns = windows.transpose(0, 1, 4, 2, 3).reshape(len(images), -1, math.prod(windows.shape[2:4]))
    return columns.reshape(*x.shape[:-3], *columns.shape[1:])


def fold(x: jax.Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> jax.Array:
    """The sums of overlapping windows, which `unfold` takes apart: [..., C * taps, windows] -> [..., C, H, W]."""
    channels = x.shape[-2] // math.prod(kernel_size)
    zeros = jnp.zeros((*x.shape[:-2], channels, *output_size), jnp.promote_types(x.dtype, jnp.float16))
    back = jax.linear_transpose(lambda image: unfold(image, kernel_size, dilation, padding, stride), zeros)
    return back(x.astype(zeros.dtype))[0].astype(x.dtype)


def sliding_window(x: jax.Array, axis: int, size: int, step: int) -> jax.Array:
    """Windows along an axis, with their elements along a new last axis."""
    axis = axis % x.ndim
    return jnp.moveaxis(jnp.take(x, slide(x.shape[axis], size, step), axis=axis), axis + 1, -1)


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
    if mode in ("nearest", "nearest-exact"):
        scaled = np.float32(ratio) * (place.astype(np.float32) + np.float32(0.5 if mode == "nearest-exact" else 0))
        return np.eye(size)[np.minimum(np.floor(scaled).astype(int), size - 1)]
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
        step = x.shape[axis] / count if ratio is None else ratio
        weights = resize_weights(x.shape[axis], count, step, mode, align_corners, antialias)
        if mode.startswith("nearest"):
            x = jnp.take(x, weights.argmax(1), axis=axis)
        else:
            y = jnp.tensordot(x, jnp.asarray(weights, x.dtype), (axis, 1), precision="highest")
            x = jnp.moveaxis(y, -1, axis)
    return x


def sample_grid(size: int, place: jax.Array, padding_mode: str, align_corners: bool) -> jax.Array:
    """The place in pixels of a place from -1 to 1, if it may be outside, by the rule of the padding."""
    place = (place + 1) * ((size - 1) / 2 if align_corners else size / 2) - (0 if align_corners else 0.5)
    return reflect_place(size, place, padding_mode, align_corners)


def reflect_place(size: int, place: jax.Array, padding_mode: str, align_corners: bool) -> jax.Array:
    """A place in pixels within the image, by the rule of the padding."""
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        turned = jnp.abs(place - low) % (2 * span) if span else jnp.zeros_like(place)
        place = jnp.minimum(turned, 2 * span - turned) + low
    return place if padding_mode == "zeros" else jnp.clip(place, 0, size - 1)


def grid_sample(
    x: jax.Array,
    grid: jax.Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> jax.Array:
    """The values of images at places from -1 to 1: x: [N, C, ...], grid: [N, ..., axes] -> [N, C, ...]."""
    sizes, rule = x.shape[2:], (padding_mode, align_corners)
    places = [grid[..., axis] for axis in reversed(range(len(sizes)))]
    inner = ("zeros", align_corners) if mode == "bicubic" else rule
    places = [sample_grid(size, place, *inner) for size, place in zip(sizes, places, strict=True)]
    taps: list[list[tuple[jax.Array, jax.Array]]] = []
    for place in places:
        floor = jnp.floor(place)
        part = place - floor
        if mode == "nearest":
            taps.append([(jnp.round(place), jnp.ones_like(place))])
        elif mode == "bilinear":
            taps.append([(floor, 1 - part), (floor + 1, part)])
        else:
            a, near, far = -0.75, (part, 1 - part), (1 + part, 2 - part)
            inside = [((a + 2) * t - (a + 3)) * t * t + 1 for t in near]
            outside = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in far]
            weights = [outside[0], inside[0], inside[1], outside[1]]
            taps.append([(floor + i - 1, weight) for i, weight in enumerate(weights)])
    total = jnp.zeros((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    rows = jnp.arange(len(x)).reshape(-1, *[1] * (grid.ndim - 2))
    for choice in itertools.product(*taps):
        index, weight = [], jnp.ones_like(places[0])
        for (tap, share), size in zip(choice, sizes, strict=True):
            tap = reflect_place(size, tap, *rule) if mode == "bicubic" else tap
            weight = weight * jnp.where((tap >= 0) & (tap <= size - 1), share, 0)
            index.append(jnp.clip(tap, 0, size - 1).astype(int))
        total = total + weight[:, None] * jnp.moveaxis(x[(rows, slice(None), *index)], -1, 1)
    return total
