"""Distances, resampling and windows of images."""

from __future__ import annotations

import itertools
import math
import struct
from typing import Any

from .array_convolution import each_axis
from .array_pooling import gather_windows, slide, weigh_windows
from .array_words import Array, Int, vector_norm, xp


def cdist(x: Array, other: Array, p: float = 2) -> Array:
    """The distances of all pairs of rows: [..., n, k], [..., m, k] -> [..., n, m]."""
    gaps = x[..., :, None, :] - other[..., None, :, :]
    if p == 0:  # counts the gaps, and NaN is not one
        return xp.where(xp.isnan(gaps), xp.stop_gradient(gaps), gaps != 0).sum(-1)
    return vector_norm(gaps, p, -1)


def pixel_shuffle(x: Array, upscale_factor: int) -> Array:
    """Channels to space: [..., C * r * r, H, W] -> [..., C, H * r, W * r]."""
    r, (height, width) = upscale_factor, x.shape[-2:]
    blocks = x.reshape(-1, r, r, height, width).transpose(0, 3, 1, 4, 2)
    return blocks.reshape(*x.shape[:-3], x.shape[-3] // r**2, height * r, width * r)


def pixel_unshuffle(x: Array, downscale_factor: int) -> Array:
    """Space to channels: [..., C, H * r, W * r] -> [..., C * r * r, H, W]."""
    r, (height, width) = downscale_factor, x.shape[-2:]
    blocks = x.reshape(-1, height // r, r, width // r, r).transpose(0, 2, 4, 1, 3)
    return blocks.reshape(*x.shape[:-3], x.shape[-3] * r**2, height // r, width // r)


def channel_shuffle(x: Array, groups: int) -> Array:
    """The channels of groups in turn: [N, C, ...] -> the same shape."""
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def unfold(x: Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """The elements of each window as a column: [..., C, H, W] -> [..., C * taps, windows]."""
    images = x.reshape(-1, *x.shape[-3:])
    strides, dilations = each_axis(stride, 2), each_axis(dilation, 2)
    padded = xp.pad(images, ((0, 0), (0, 0), *((p, p) for p in each_axis(padding, 2))))
    sides = zip(padded.shape[2:], kernel_size, strides, dilations, strict=True)
    windows = gather_windows(padded, [slide(*side) for side in sides])
    columns = windows.transpose(0, 1, 4, 2, 3).reshape(images.shape[0], -1, math.prod(windows.shape[2:4]))
    return columns.reshape(*x.shape[:-3], *columns.shape[1:])


def fold(x: Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Array:
    """The sums of overlapping windows, which `unfold` takes apart: [..., C * taps, windows] -> [..., C, H, W]."""
    sides = list(zip(output_size, kernel_size, *(each_axis(n, 2) for n in (dilation, padding, stride)), strict=True))
    counts = [(size + 2 * p - d * (k - 1) - 1) // s + 1 for size, k, d, p, s in sides]
    windows = x.reshape(*x.shape[:-2], x.shape[-2] // math.prod(kernel_size), *kernel_size, *counts)
    image = xp.zeros((*windows.shape[:-4], *(size + 2 * p for size, _, _, p, _ in sides)), x.dtype)
    for i, j in itertools.product(*map(range, kernel_size)):
        places = [slice(tap * d, tap * d + count * s, s) for tap, count, (_, _, d, _, s) in zip((i, j), counts, sides, strict=True)]
        image = image.at[(..., *places)].add(windows[..., i, j, :, :])
    return image[(..., *(slice(p, p + size) for size, _, _, p, _ in sides))]


def sliding_window(x: Array, axis: int, size: int, step: int) -> Array:
    """Windows along an axis, with their elements along a new last axis."""
    axis = axis % x.ndim
    return xp.moveaxis(xp.take(x, slide(x.shape[axis], size, step), axis=axis), axis + 1, -1)


def cubic(x: float, a: float) -> float:
    """The kernel of cubic interpolation."""
    if x <= 1:
        return ((a + 2) * x - (a + 3)) * x * x + 1
    return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a if x < 2 else 0.0


def resize_windows(
    size: int, count: int, ratio: float, mode: str, align_corners: bool, antialias: bool
) -> tuple[list[list[int]], list[list[float]]]:
    """The elements of an axis from which each element of the resampled axis is computed, and their weights: [count, taps]."""
    if align_corners:
        ratio = (size - 1) / (count - 1) if count > 1 else 0.0
    scale, a = (max(ratio, 1.0), -0.5) if antialias else (1.0, -0.75)
    reach = math.ceil({"bicubic": 2, "lanczos": 3}.get(mode, 1) * scale)
    indices, weights = [], []
    for place in range(count):
        center = place * ratio if align_corners and not antialias else (place + 0.5) * ratio - 0.5
        center = center if antialias or mode == "bicubic" else min(max(center, 0), size - 1)
        taps = range(math.floor(center) - reach + 1, math.floor(center) + reach + 1)
        row = [kernel_weight(abs(tap - center) / scale, mode, a) for tap in taps]
        if antialias:
            row = [weight if 0 <= tap < size else 0.0 for tap, weight in zip(taps, row, strict=True)]
            row = [weight / sum(row) for weight in row]
        indices.append([min(max(tap, 0), size - 1) for tap in taps])
        weights.append(row)
    return indices, weights


def kernel_weight(distance: float, mode: str, a: float) -> float:
    """The weight of an element at a distance from the place that is computed."""
    if mode == "bicubic":
        return cubic(distance, a)
    if mode == "lanczos":
        angle = math.pi * distance
        return 1.0 if not angle else 3 * math.sin(angle) * math.sin(angle / 3) / angle**2 if distance < 3 else 0.0
    return max(1 - distance, 0.0)


def nearest_places(size: int, count: int, ratio: float, is_exact: bool) -> Array:
    """The index of the nearest element for each element of the resampled axis, rounded in float32."""
    if is_exact:
        (step,) = struct.unpack("f", struct.pack("f", ratio))
        centers = xp.array([step * (i + 0.5) - 0.5 for i in range(count)], xp.float32)
        places = xp.floor(xp.maximum(centers, 0) + 0.5)
    else:
        places = xp.floor(xp.array(ratio, xp.float32) * xp.arange(count).astype(xp.float32))
    return xp.minimum(places.astype(Int), size - 1)


def interpolate(
    x: Array,
    size: tuple[int, ...],
    ratios: tuple[float | None, ...],
    mode: str = "nearest",
    align_corners: bool = False,
    antialias: bool = False,
) -> Array:
    """Resamples the spatial axes. `ratios` are the steps between elements, if not the ratios of the sizes."""
    for axis, (count, ratio) in enumerate(zip(size, ratios, strict=True), start=2):
        # With these modes, an axis stays as it is if its size does, even if the ratio is another one.
        if count == x.shape[axis] and (antialias or "linear" in mode or (mode == "nearest" and len(size) == 2)):
            continue
        step = x.shape[axis] / count if ratio is None else ratio
        if mode.startswith("nearest"):
            x = xp.take(x, nearest_places(x.shape[axis], count, step, mode == "nearest-exact"), axis=axis)
        else:
            indices, weights = resize_windows(x.shape[axis], count, step, mode, align_corners, antialias)
            x = weigh_windows(x, xp.array(indices), weights, axis)
    return x


def sample_grid(size: int, place: Array, padding_mode: str, align_corners: bool) -> Array:
    """The place in pixels of a place from -1 to 1, if it may be outside, by the rule of the padding."""
    place = (place + 1) * ((size - 1) / 2 if align_corners else size / 2) - (0 if align_corners else 0.5)
    return reflect_place(size, place, padding_mode, align_corners)


def reflect_place(size: int, place: Array, padding_mode: str, align_corners: bool) -> Array:
    """A place in pixels within the image, by the rule of the padding."""
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        turned = xp.abs(place - low) % (2 * span) if span else xp.zeros_like(place)
        place = xp.minimum(turned, 2 * span - turned) + low
    return place if padding_mode == "zeros" else xp.clip(xp.nan_to_num(place), 0, size - 1)


def grid_sample(
    x: Array,
    grid: Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> Array:
    """The values of images at places from -1 to 1: x: [N, C, ...], grid: [N, ..., axes] -> [N, C, ...]."""
    sizes, rule = x.shape[2:], (padding_mode, align_corners)
    places = [grid[..., axis] for axis in reversed(range(len(sizes)))]
    inner = ("zeros", align_corners) if mode == "bicubic" else rule
    places = [sample_grid(size, place, *inner) for size, place in zip(sizes, places, strict=True)]
    taps: list[list[tuple[Array, Array]]] = []
    for place in places:
        floor = xp.floor(place)
        part = place - floor
        if mode == "nearest":
            taps.append([(xp.round(place), xp.ones_like(place))])
        elif mode == "bilinear":
            taps.append([(floor, 1 - part), (floor + 1, part)])
        else:
            a, near, far = -0.75, (part, 1 - part), (1 + part, 2 - part)
            inside = [((a + 2) * t - (a + 3)) * t * t + 1 for t in near]
            outside = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in far]
            weights = [outside[0], inside[0], inside[1], outside[1]]
            taps.append([(floor + i - 1, weight) for i, weight in enumerate(weights)])
    total = xp.zeros((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    rows = xp.arange(x.shape[0]).reshape(-1, *[1] * (grid.ndim - 2))
    for choice in itertools.product(*taps):
        index, weight = [], xp.ones_like(places[0])
        inside = weight == 1
        for (tap, share), size in zip(choice, sizes, strict=True):
            tap = reflect_place(size, tap, *rule) if mode == "bicubic" else tap
            weight, inside = weight * share, inside & (tap >= 0) & (tap <= size - 1)
            index.append(xp.stop_gradient(xp.clip(xp.nan_to_num(tap), 0, size - 1)).astype(Int))
        values = xp.moveaxis(x[(rows, slice(None), *index)], -1, 1)
        total = total + weight[:, None] * xp.where(inside[:, None], values, 0)
    return total
