"""Computes the maximum of windows that are gathered by index, for pools that ONNX Runtime lacks.

In: for each spatial axis that is pooled, a matrix [windows, positions] of the positions in each window. Out: the maximum of each window,
and its position. Always: every position is within the axis and in its window. A window with fewer positions than the others repeats one of
its own, which changes no maximum.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ...dims import Dim
from ...ops.operator import numel
from ...ops.windows import Window
from ...types.tensor_types import INT64
from .nan import find_extreme_position, reduce_keeping_nan
from .onnx_emitters import Site
from .tensor_expressions import TensorExpr, widen_integer
from .unsupported_in_onnx import UnsupportedInOnnx


def reduce_windows(site: Site, matrices: Mapping[int, str]) -> str:
    """Compute the maximum of each window, along one axis after another."""
    dtype = site.given.x.dtype
    y = site.x.cast(widen_integer(dtype))
    for axis, matrix in matrices.items():
        laid_out = TensorExpr(site, site.add("Gather", [y.name, matrix], axis=axis), y.dtype)
        y = reduce_keeping_nan(laid_out, "ReduceMax", [axis + 1], keepdims=False)
    return y.cast(dtype).name


def reduce_windows_with_positions(site: Site, matrices: Mapping[int, str]) -> tuple[str, str]:
    """Compute the maximum with its position within the spatial axes. Of equal maxima, the first in row-major order counts, so the last
    axis is reduced first."""
    x = site.given.x
    values = site.x.cast(widen_integer(x.dtype))
    positions = _number_elements(site)
    for axis, matrix in sorted(matrices.items(), reverse=True):
        laid_out, where = (site.add("Gather", [y, matrix], axis=axis) for y in (values.name, positions))
        first = find_extreme_position(TensorExpr(site, laid_out, values.dtype), "ArgMax", axis + 1, keepdims=True)
        picked = (site.add("GatherElements", [y, first.name], axis=axis + 1) for y in (laid_out, where))
        squeezed, positions = (site.add("Squeeze", [y, site.ints([axis + 1])]) for y in picked)
        values = TensorExpr(site, squeezed, values.dtype)
    return values.cast(x.dtype).name, positions


def _number_elements(site: Site) -> str:
    """Number each element within the spatial axes."""
    batch, channels, *space = site.given.x.shape
    ends = [site.scalar(n, INT64) for n in (0, numel(tuple(space)), 1)]
    image = site.add("Reshape", [site.add("Range", ends), site.shape((1, 1, *space))])
    return site.add("Expand", [image, site.ints([batch, channels, *(1 for _ in space)])])


def make_sliding_positions(site: Site, window: Window, size: Dim, count: Dim) -> str:
    """Make the matrix of a window that slides along an axis. Padding is replaced by a position within the axis."""
    if isinstance(size, int) and isinstance(count, int):
        return site.constant(_make_constant_positions(site, window, size, count))
    # With a dilation, position 0 need not be in the window.
    if window.before and window.dilation > 1:
        raise UnsupportedInOnnx(site.node.op.name, "of integers, padding with a dilation needs sizes that are known")
    ends = [site.scalar(n, INT64) for n in (0, count, 1)]
    numbers = site.add("Unsqueeze", [site.add("Range", ends), site.ints([1])])
    starts = TensorExpr(site, numbers, INT64) * window.stride - window.before
    positions = starts + TensorExpr(site, site.constant(np.arange(window.taps, dtype=np.int64) * window.dilation), INT64)
    outside = positions.less(0).op(
        "Or", positions.op("GreaterOrEqual", TensorExpr(site, site.scalar(size, INT64), INT64), to=positions.less(0).dtype)
    )
    return outside.choose(starts.op("Max", 0), positions).name


def _make_constant_positions(site: Site, window: Window, size: int, count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.int64]]:
    starts = np.arange(count, dtype=np.int64)[:, None] * window.stride - window.before
    positions = starts + np.arange(window.taps, dtype=np.int64) * window.dilation
    inside = (positions >= 0) & (positions < size)
    if not inside.any(axis=1).all():
        raise UnsupportedInOnnx(site.node.op.name, "a window of integers that lies entirely in the padding cannot be expressed")
    first = np.take_along_axis(positions, inside.argmax(axis=1)[:, None], axis=1)
    return np.where(inside, positions, first)
