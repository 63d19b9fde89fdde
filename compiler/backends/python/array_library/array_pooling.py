"""Pools."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

from .array_convolution import each_axis
from .array_words import Array, Int, fn, np, xp


def window_pads(x: Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> list[Any]:
    """The padding of each spatial axis before and after. With `ceil_mode`, the last window may extend over the end."""
    pads = []
    for size, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True):
        span = d * (k - 1) + 1
        count = (size + 2 * p - span) // s + 1
        if ceil_mode:
            count = -(-(size + 2 * p - span) // s) + 1
            count -= (count - 1) * s >= size + p
        pads.append((p, max((count - 1) * s + span - size - p, 0)))
    return pads


def gather_windows(x: Array, indices: Sequence[Any]) -> Array:
    """The elements at the indices [windows, taps] of each spatial axis: [N, C, ...] -> [N, C, *windows, taps]."""
    axes = len(indices)
    for axis, index in enumerate(indices):
        x = xp.take(x, index, axis=2 + 2 * axis)
    order = (0, 1, *range(2, 2 + 2 * axes, 2), *range(3, 3 + 2 * axes, 2))
    y = x.transpose(order)
    return y.reshape(*y.shape[: 2 + axes], -1)


def slide(size: int, kernel: int, stride: int, dilation: int = 1) -> Any:
    """The indices of the elements in each window: [windows, kernel]."""
    starts = np.arange(0, size - dilation * (kernel - 1), stride)
    return starts[:, None] + dilation * np.arange(kernel)


def max_pool(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
) -> Array:
    """The maximum of each window: [N, C, ...] -> [N, C, ...]."""
    axes = x.ndim - 2
    strides = each_axis(kernel_size if stride is None else stride, axes)
    dilations = each_axis(dilation, axes)
    pads = window_pads(x, kernel_size, strides, each_axis(padding, axes), dilations, ceil_mode)
    low = -xp.inf if xp.issubdtype(x.dtype, xp.floating) else xp.iinfo(x.dtype).min
    padded = xp.pad(x, ((0, 0), (0, 0), *pads), constant_values=low)
    largest, *others = list_taps(padded, kernel_size, strides, dilations)
    for tap in others:
        largest = xp.where((tap > largest) | xp.isnan(tap), tap, largest)  # of equal ones the first, which gets the gradient
    return largest


def list_taps(x: Array, kernel_size: Any, strides: Any, dilations: Any) -> list[Array]:
    """The elements of all windows, for each place in a window: tensors [N, C, *windows]."""
    sides = list(zip(x.shape[2:], kernel_size, strides, dilations, strict=True))
    ends = [(size - d * (k - 1) - 1) // s * s + 1 for size, k, s, d in sides]
    starts = itertools.product(*(range(0, d * k, d) for _, k, _, d in sides))
    return [x[(..., *(slice(i, i + end, s) for i, end, s in zip(start, ends, strides, strict=True)))] for start in starts]


def max_pool_with_indices(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
) -> tuple[Array, Array]:
    """The maximum of each window, and its index within the spatial axes."""
    axes = x.ndim - 2
    strides = each_axis(kernel_size if stride is None else stride, axes)
    dilations = each_axis(dilation, axes)
    pads = ((0, 0), (0, 0), *window_pads(x, kernel_size, strides, each_axis(padding, axes), dilations, ceil_mode))
    low = -np.inf if xp.issubdtype(x.dtype, xp.floating) else xp.iinfo(x.dtype).min
    padded = xp.pad(x, pads, constant_values=low)
    sides = zip(padded.shape[2:], kernel_size, strides, dilations, strict=True)
    places = xp.pad(xp.arange(math.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:]), pads, constant_values=-1)
    return pick_largest(padded, places, [slide(*side) for side in sides])


def pick_largest(x: Array, places: Array, indices: Sequence[Any]) -> tuple[Array, Array]:
    """The largest element of each window, and its place. Places below 0 are outside: their elements are never chosen."""
    windows = gather_windows(x, indices)
    at = xp.broadcast_to(gather_windows(places, indices), windows.shape).astype(Int)
    fixed = xp.stop_gradient(windows)
    is_best = (fixed == fixed.max(-1, keepdims=True)) | xp.isnan(fixed)
    best = (is_best & (at >= 0)).astype(xp.int32).argmax(-1, keepdims=True)
    return tuple(xp.take_along_axis(values, best, axis=-1)[..., 0] for values in (windows, at))


def sum_windows(x: Array, kernel_size: Any, strides: Any, pads: Any) -> Array:
    """The sum of each window: [N, C, ...] -> [N, C, ...]."""
    first, *others = list_taps(xp.pad(x, ((0, 0), (0, 0), *pads)), kernel_size, strides, (1,) * len(kernel_size))
    return sum(others, first)


def avg_pool(
    x: Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Array:
    """The mean of each window: [N, C, ...] -> [N, C, ...]."""
    axes = x.ndim - 2
    strides, amounts = each_axis(kernel_size if stride is None else stride, axes), each_axis(padding, axes)
    pads = window_pads(x, kernel_size, strides, amounts, (1,) * axes, ceil_mode)
    is_float = xp.issubdtype(x.dtype, xp.floating)
    wide = x.astype(xp.promote_types(x.dtype, xp.float32)) if is_float else x  # in 16 bits, large sums stop growing
    total = sum_windows(wide, kernel_size, strides, pads)
    if divisor_override is not None:
        divisor: Any = divisor_override
    else:
        ones = xp.ones((1, 1, *x.shape[2:]), wide.dtype)
        if count_include_pad:
            ones = xp.pad(ones, ((0, 0), (0, 0), *((p, p) for p in amounts)), constant_values=1)
            pads = [(0, max(after - p, 0)) for (_, after), p in zip(pads, amounts, strict=True)]
        divisor = sum_windows(ones, kernel_size, strides, pads)
    if is_float:
        return (total / divisor).astype(x.dtype)
    return xp.sign(total) * xp.sign(divisor) * (abs(total) // abs(divisor))


def lp_pool(
    x: Array,
    norm_type: float,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> Array:
    """The norm of each window: [N, C, ...] -> [N, C, ...]."""
    x = x if xp.issubdtype(x.dtype, xp.floating) else x.astype(xp.float32)
    mean = avg_pool(x**norm_type, kernel_size, stride, 0, ceil_mode)
    sums = mean * math.prod(kernel_size)
    return (xp.sign(sums) * fn.relu(abs(sums))) ** (1 / norm_type)


def adaptive_windows(size: int, count: int) -> Any:
    """The indices of the elements of `count` windows that cover an axis, the last one repeated, and the windows' sizes."""
    starts = np.arange(count) * size // count
    ends = -(-(np.arange(count) + 1) * size // count)
    longest = int((ends - starts).max())
    return np.minimum(starts[:, None] + np.arange(longest), ends[:, None] - 1), ends - starts


def weigh_windows(x: Array, index: Any, weights: Any, axis: int) -> Array:
    """The weighted sums of the elements of windows along an axis. `index` and `weights` are [windows, elements]. An element without weight
    has no effect, also if it is infinite."""
    shares = xp.asarray(weights, xp.promote_types(x.dtype, xp.float32)).reshape(*index.shape, *[1] * (x.ndim - axis - 1))
    return xp.where(shares == 0, 0, xp.take(x, index, axis=axis) * shares).sum(axis + 1).astype(x.dtype)


def adaptive_avg_pool(x: Array, output_size: tuple[int, ...]) -> Array:
    """The means of windows that cover the spatial axes: [N, C, ...] -> [N, C, *output_size]."""
    for axis, count in enumerate(output_size, start=2):
        index, sizes = adaptive_windows(x.shape[axis], count)
        used = np.arange(index.shape[1]) < sizes[:, None]
        x = weigh_windows(x, index, used / sizes[:, None], axis)
    return x


def adaptive_max_pool(x: Array, output_size: tuple[int, ...]) -> Array:
    """The maxima of windows that cover the spatial axes: [N, C, ...] -> [N, C, *output_size]."""
    return adaptive_max_pool_with_indices(x, output_size)[0]


def adaptive_max_pool_with_indices(x: Array, output_size: tuple[int, ...]) -> tuple[Array, Array]:
    """The maxima of windows that cover the spatial axes, and their indices within these."""
    indices = [adaptive_windows(size, count)[0] for size, count in zip(x.shape[2:], output_size, strict=True)]
    places = xp.arange(math.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:])
    return pick_largest(x, places, indices)


def max_unpool(
    x: Array,
    indices: Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_size: tuple[int, ...] | None = None,
) -> Array:
    """Puts maxima where they were, and zeros elsewhere: [N, C, ...] -> [N, C, ...]."""
    if output_size is None:
        sides = zip(x.shape[2:], kernel_size, stride, padding, strict=True)
        output_size = tuple((size - 1) * s - 2 * p + k for size, k, s, p in sides)
    flat = xp.zeros((*x.shape[:2], math.prod(output_size)), x.dtype)
    flat = xp.put_along_axis(flat, indices.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), 2)
    return flat.reshape(*x.shape[:2], *output_size)


def fractional_max_pool(x: Array, samples: Array, kernel_size: tuple[int, ...], output_size: tuple[int, ...]) -> tuple[Array, Array]:
    """The maxima of windows at places that random numbers choose, and their indices within the spatial axes.

    x: [N, C, ...], samples: [N, C, axes] -> two tensors [N, C, *output_size].
    """
    axes = x.ndim - 2
    places: Any = 0
    for axis, (size, k, count) in enumerate(zip(x.shape[2:], kernel_size, output_size, strict=True)):
        u = samples[:, :, axes - 1 - axis, None]
        alpha = (size - k) / (count - 1) if count > 1 else 0.0
        starts = xp.floor((xp.arange(count) + u) * alpha) - xp.floor(u * alpha)
        starts = xp.where(xp.arange(count) == count - 1, size - k, starts).astype(Int)
        shape = [n if i == axis else 1 for n in (count, k) for i in range(axes)]
        places = places * size + (starts[..., None] + xp.arange(k)).reshape(*x.shape[:2], *shape)
    windows = places.reshape(*x.shape[:2], *output_size, -1)
    values = xp.take_along_axis(x.reshape(*x.shape[:2], -1), windows.reshape(*x.shape[:2], -1), axis=2).reshape(windows.shape)
    best = xp.stop_gradient(values).argmax(-1, keepdims=True)
    return tuple(xp.take_along_axis(one, best, axis=-1)[..., 0] for one in (values, windows))
