"""Emit operators that look between pixels. ONNX Runtime has RoiAlign of older opsets only, so it is composed.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input 1x8x8; g = input [4, 4, 2]; (x, g) -> grid_sample").onnx().graph.node]
['GridSample']
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

from ....dims import Dim
from ....ops.vision import DeformConv, RoiAlign
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import INT64
from ..norms import reduce_axes
from ..onnx_emitters import Site, emits
from ..tensor_expressions import TensorExpr, compute_precisely


@emits(DeformConv, onnx="DeformConv")
def emit_deform_conv(op: DeformConv, site: Site) -> str:
    windows = op.make_windows(site.given.x)
    bias = site.parameter("bias") if op.bias else ""
    mask = [site.mask.name] if "mask" in site.given else []
    return site.add(
        "DeformConv",
        [site.x.name, site.parameter("weight"), site.offset.name, bias, *mask],
        kernel_shape=[w.taps for w in windows],
        strides=[w.stride for w in windows],
        pads=[w.before for w in windows] * 2,
        dilations=[w.dilation for w in windows],
        group=op.groups,
        offset_group=op.offset_groups(site.given),
    )


@emits(RoiAlign, onnx="Floor, Gather, Mul and AveragePool")
def emit_roi_align(op: RoiAlign, site: Site) -> str:
    return compute_precisely(site.x, lambda x: _BoxSampler(op, site, x).emit_aligned()).name


class _SampledAxis(Record):
    """The points of each box along one axis: their positions, [K, bins * most]; whether each is inside the image; whether it belongs to
    the box; and the number of the box's points for each element, [K, 1, 1]."""

    places: TensorExpr
    inside: TensorExpr
    used: TensorExpr
    count: TensorExpr
    most: TensorExpr


class _BoxSampler:
    """Samples the points of boxes, [K, rows, columns], from the pixels around them."""

    def __init__(self, op: RoiAlign, site: Site, x: TensorExpr) -> None:
        self.op, self.site, self.x = op, site, x
        self.boxes = site.boxes.cast(x.dtype)
        self.number, self.channels = site.given.boxes.shape[0], site.given.x.shape[1]
        _, _, self.height, self.width = site.given.x.shape

    def emit_aligned(self) -> TensorExpr:
        bins = self.op.result_sizes(self.site.given.x)
        down, along = self._sample_axis(2, 4, bins[0], self.height), self._sample_axis(1, 3, bins[1], self.width)
        rows, columns = self._unsqueeze_axes(down.places, 2), self._unsqueeze_axes(along.places, 1)
        pixels, within = self._flatten_pixels(), self._combine_axes(down.inside, along.inside)
        first = self._unsqueeze_axes(self._gather_column(0).cast(INT64), 2) * self._make_int(self.height * self.width)
        total = None
        for i in (0, 1):
            for j in (0, 1):
                row, column = rows.op("Floor") + float(i), columns.op("Floor") + float(j)
                weight = (-abs(rows - row) + 1.0) * (-abs(columns - column) + 1.0)
                place = self._clamp_index(row, self.height) * self._make_int(self.width) + self._clamp_index(column, self.width)
                # Points outside of the image read pixel 0 with a weight of 0.
                index = within.choose(place, 0)
                part = pixels.op("Gather", first + index, axis=0) * self._unsqueeze_axes(within.choose(weight, 0.0), 3)
                total = part if total is None else total + part
        assert total is not None
        return self._average_points(total, bins, (down, along))

    def _average_points(self, total: TensorExpr, bins: tuple[int, int], sides: tuple[_SampledAxis, _SampledAxis]) -> TensorExpr:
        """Average the points of each element: [K, rows, columns, C] -> [K, C, *bins]."""
        ratio = self.op.sampling_ratio
        if ratio > 0:
            image = total.op("Transpose", perm=[0, 3, 1, 2])
            return image.op("AveragePool", kernel_shape=[ratio, ratio], strides=[ratio, ratio]) if ratio > 1 else image
        (down, along), ends = sides, [self._make_ints(n) for n in (self.number, *bins, self.channels)]
        # Boxes have different numbers of points: those that a box does not have count as 0.
        total = self._unsqueeze_axes(self._combine_axes(down.used, along.used), 3).choose(total, 0.0)
        shape = ends[0].op("Concat", ends[1], down.most, ends[2], along.most, ends[3], axis=0)
        sums = reduce_axes(total.op("Reshape", shape), "ReduceSum", [2, 4]).op("Transpose", perm=[0, 3, 1, 2])
        return sums / self._unsqueeze_axes((down.count * along.count).op("Max", 1.0), 3)

    def _sample_axis(self, start: int, end: int, bins: int, size: Dim) -> _SampledAxis:
        shift = 0.5 if self.op.aligned else 0.0
        low, high = (self._unsqueeze_axes(self._gather_column(n) * float(self.op.scale) - shift, 2) for n in (start, end))
        length = high - low
        if not self.op.aligned:
            length = length.op("Max", 1.0)
        count, most, points = self._count_points(length / float(bins))
        steps = self._make_constant(np.arange(bins).reshape(-1, 1)) + (points + 0.5) / count.op("Max", 1.0)
        shape = self._make_ints(self.number).op("Concat", most * self._make_ints(bins), axis=0)
        places = (low + steps * (length / float(bins))).op("Reshape", shape)
        limit = self.x.like(float(size) if isinstance(size, int) else size)
        inside = places.less(-1.0).op("Or", places.greater(limit)).negation()
        used = inside
        if self.op.sampling_ratio <= 0:
            used = points.less(count).op("Expand", self._make_ints(1, bins, 1)).op("Reshape", shape)
        return _SampledAxis(places.op("Max", 0.0).op("Min", limit - 1.0), inside, used, count, most)

    def _combine_axes(self, down: TensorExpr, along: TensorExpr) -> TensorExpr:
        return self._unsqueeze_axes(down, 2).op("And", self._unsqueeze_axes(along, 1))

    def _count_points(self, length: TensorExpr) -> tuple[TensorExpr, TensorExpr, TensorExpr]:
        """Return the number of points in an element of this length for each box, the greatest number, and the numbers of the points."""
        ratio = self.op.sampling_ratio
        if ratio > 0:
            return self.x.like(float(ratio)), self._make_ints(ratio), self._make_constant(np.arange(ratio))
        count = length.op("Ceil")
        most = reduce_axes(count.op("Max", 1.0).cast(INT64), "ReduceMax")
        zero, one = self._make_int(0), self._make_int(1)
        return count, most.op("Reshape", self._make_ints(1)), zero.op("Range", most, one).cast(self.x.dtype)

    def _gather_column(self, number: int) -> TensorExpr:
        """Gather a column of the boxes, [K, 1]."""
        return self.boxes.op("Gather", TensorExpr(self.site, self.site.ints([number]), INT64), axis=1)

    def _flatten_pixels(self) -> TensorExpr:
        """Flatten all pixels of all images to [N * H * W, C]."""
        return self.x.op("Transpose", perm=[0, 2, 3, 1]).op("Reshape", self._make_ints(-1, self.channels))

    def _clamp_index(self, place: TensorExpr, size: Dim) -> TensorExpr:
        return place.cast(INT64).op("Min", self._make_int(size - 1))

    def _make_int(self, size: Dim) -> TensorExpr:
        return TensorExpr(self.site, self.site.scalar(size, INT64), INT64)

    def _make_ints(self, *values: Dim) -> TensorExpr:
        return TensorExpr(self.site, self.site.ints(values), INT64)

    def _make_constant(self, numbers: NDArray[Any]) -> TensorExpr:
        return TensorExpr(self.site, self.site.constant(numbers.astype(numpy_dtype(self.x.dtype))), self.x.dtype)

    def _unsqueeze_axes(self, x: TensorExpr, *axes: int) -> TensorExpr:
        return TensorExpr(self.site, self.site.add("Unsqueeze", [x.name, self.site.ints(axes)]), x.dtype)
