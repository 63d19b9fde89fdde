"""Sums windows of integers, which AveragePool does not accept, by products with matrices of 0 and 1.

In: windows without dilation that slide along axes of a tensor. Out: their sums, and the number of positions that each covers, as int64:
windows of 2 in [1, 2, 3] give 3 and 5.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ...dims import Dim
from ...ops.windows import Window
from ...types.tensor_types import INT64
from .onnx_emitters import Site
from .tensor_expressions import TensorExpr


class SlidingAxis:
    """One axis that a window slides along: `size` positions, `count` windows."""

    def __init__(self, site: Site, window: Window, size: Dim, count: Dim) -> None:
        self.site, self.window, self.size, self.count = site, window, size, count

    def _offset_end(self, more: int) -> TensorExpr:
        return TensorExpr(self.site, self.site.scalar(self.size + more, INT64), INT64)

    def _emit_range(self, stop: Dim) -> TensorExpr:
        if isinstance(stop, int):
            return TensorExpr(self.site, self.site.constant(np.arange(stop, dtype=np.int64)), INT64)
        ends = [self.site.scalar(n, INT64) for n in (0, stop, 1)]
        return TensorExpr(self.site, self.site.add("Range", ends), INT64)

    def _find_starts(self) -> TensorExpr:
        return self._emit_range(self.count) * self.window.stride - self.window.before

    def make_membership(self) -> str:
        """Make the matrix [size, count] that is 1 where the position is in the window."""
        positions = self._emit_range(self.size)
        column = TensorExpr(self.site, self.site.add("Unsqueeze", [positions.name, self.site.ints([1])]), INT64)
        ahead = column - self._find_starts()
        outside = ahead.less(0).op("Or", ahead.greater(self.window.taps - 1))
        return outside.negation().cast(INT64).name

    def count_covered(self, *, padding: bool) -> TensorExpr:
        """Count the positions that each window covers, [count]. With `padding`, padded positions count too, but none after the padding."""
        starts = self._find_starts()
        ends = (starts + self.window.taps).op("Min", self._offset_end(self.window.before if padding else 0))
        return ends - (starts if padding else starts.op("Max", 0))


def _multiply_axis(site: Site, y: str, axis: int, rank: int, weights: str) -> str:
    """Multiply an axis by a matrix [size, count]."""
    # MatMul contracts the last axis, so another axis is swapped with it, and back.
    if axis == rank - 1:
        return site.add("MatMul", [y, weights])
    swapped = list(range(rank))
    swapped[axis], swapped[-1] = swapped[-1], swapped[axis]
    product = site.add("MatMul", [site.add("Transpose", [y], perm=swapped), weights])
    return site.add("Transpose", [product], perm=swapped)


def sum_windows(site: Site, tensor: str, rank: int, slides: Sequence[tuple[int, SlidingAxis]]) -> TensorExpr:
    """Sum over the windows along each of the axes."""
    for axis, slide in slides:
        tensor = _multiply_axis(site, tensor, axis, rank, slide.make_membership())
    return TensorExpr(site, tensor, INT64)


def count_covered_positions(site: Site, rank: int, slides: Sequence[tuple[int, SlidingAxis]], *, padding: bool) -> TensorExpr:
    """Count the positions that each window covers, along all of the axes."""
    total: TensorExpr | None = None
    for axis, slide in slides:
        following = site.ints(range(1, rank - axis))
        count = slide.count_covered(padding=padding)
        along = count if axis == rank - 1 else TensorExpr(site, site.add("Unsqueeze", [count.name, following]), INT64)
        total = along if total is None else total * along
    assert total is not None
    return total
