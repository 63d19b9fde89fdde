"""Combines the elements of an axis up to each of them, where ONNX has only the sum.

In: a tensor and an axis. Out: for each position, the combination of the elements up to it: maxima 3, 5, 5 of 3, 5, 4. Always: for a known
size, in steps that double the number of combined elements. For a size that is known only at run time, by a triangle of all pairs.
"""

from __future__ import annotations

from collections.abc import Callable

from ...dims import Dim
from ...types.tensor_types import BOOL, INT64
from .tensor_expressions import TensorExpr

Parts = tuple[TensorExpr, ...]


def scan_by_doubling(parts: Parts, axis: int, size: int, combine: Callable[[Parts, Parts], Parts]) -> Parts:
    """Combine by doubling. `combine` combines results for some elements with results for the elements after them. Several tensors go
    together."""
    reach = 1
    while reach < size:
        before = [_slice_axis(part, axis, 0, -reach) for part in parts]
        after = [_slice_axis(part, axis, reach, size) for part in parts]
        combined = combine(tuple(before), tuple(after))
        parts = tuple(_concat_along_axis(_slice_axis(part, axis, 0, reach), new, axis) for part, new in zip(parts, combined, strict=True))
        reach *= 2
    return parts


def _slice_axis(x: TensorExpr, axis: int, start: int, stop: int) -> TensorExpr:
    return TensorExpr(x.site, x.site.add("Slice", [x.name, *(x.site.ints([n]) for n in (start, stop, axis))]), x.dtype)


def _concat_along_axis(first: TensorExpr, second: TensorExpr, axis: int) -> TensorExpr:
    return first.op("Concat", second, axis=axis)


class Triangle:
    """All pairs of an element and one that is not after it. The new axis is the one after `axis`."""

    def __init__(self, x: TensorExpr, axis: int, rank: int, size: Dim) -> None:
        self.site, self.axis, self.after = x.site, axis, list(range(2, rank - axis + 1))
        indices = TensorExpr(self.site, self.site.add("Range", [self.site.scalar(n, INT64) for n in (0, size, 1)]), INT64)
        rows = TensorExpr(self.site, self.site.add("Unsqueeze", [indices.name, self.site.ints([1])]), INT64)
        self.is_before = self._append_axes(indices.greater(rows).negation(), self.after)
        self.index = self._append_axes(indices, [n - 1 for n in self.after])

    def _append_axes(self, x: TensorExpr, axes: list[int]) -> TensorExpr:
        return TensorExpr(self.site, self.site.add("Unsqueeze", [x.name, self.site.ints(axes)]), x.dtype) if axes else x

    def repeat_elements(self, x: TensorExpr) -> TensorExpr:
        """Repeat the elements along the new axis."""
        return TensorExpr(self.site, self.site.add("Unsqueeze", [x.name, self.site.ints([self.axis])]), x.dtype)

    def reduce_pairs(self, x: TensorExpr, op_type: str) -> TensorExpr:
        """Reduce over the new axis, which stays with size 1."""
        return TensorExpr(self.site, self.site.add(op_type, [x.name, self.site.ints([self.axis + 1])], keepdims=1), x.dtype)

    def drop_axis(self, x: TensorExpr) -> TensorExpr:
        """Remove the new axis."""
        return TensorExpr(self.site, self.site.add("Squeeze", [x.name, self.site.ints([self.axis + 1])]), x.dtype)

    def find_last_index(self, chosen: TensorExpr) -> TensorExpr:
        """Find the index of the last element that is chosen, or -1 if none is."""
        among = self.is_before.op("And", chosen)
        assert among.dtype == BOOL
        return self.reduce_pairs(among.choose(self.index, -1), "ReduceMax")
