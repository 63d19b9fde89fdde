"""Operators that look between pixels, in ONNX. (ONNX Runtime has RoiAlign of older opsets only.)"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ....dims import Dim
from ....ir.elements import numpy_dtype
from ....ir.types import INT64
from ....ops.vision import DeformConv, RoiAlign
from ..expressions import TensorExpr, precise
from ..table import Site, emits


@emits(DeformConv, onnx="DeformConv")
def deform_conv(op: DeformConv, site: Site) -> str:
    windows = op.windows(site.given.x)
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
def roi_align(op: RoiAlign, site: Site) -> str:
    return precise(site.x, lambda x: _Boxes(op, site, x).aligned()).name


class _Boxes:
    """The points of boxes, [K, rows, columns], and the pixels around them."""

    def __init__(self, op: RoiAlign, site: Site, x: TensorExpr) -> None:
        self.op, self.site, self.x = op, site, x
        self.boxes = site.boxes.cast(x.dtype)
        _, _, self.height, self.width = site.given.x.shape

    def aligned(self) -> TensorExpr:
        count = self.op.sampling_ratio
        high, wide = self.op.sizes(self.site.given.x)
        rows, above = self._places(2, 4, high * count, self.height, [2])
        columns, left = self._places(1, 3, wide * count, self.width, [1])
        pixels, within = self._pixels(), above.op("And", left)
        first = self._unsqueezed(self._column(0).cast(INT64), 2) * self._number(self.height * self.width)
        total = None
        for i in (0, 1):
            for j in (0, 1):
                row, column = rows.op("Floor") + float(i), columns.op("Floor") + float(j)
                weight = (-abs(rows - row) + 1.0) * (-abs(columns - column) + 1.0)
                weight = within.choose(weight, 0.0)
                place = self._index(row, self.height) * self._number(self.width) + self._index(column, self.width)
                index = within.choose(place, 0)
                part = pixels.op("Gather", first + index, axis=0) * self._unsqueezed(weight, 3)
                total = part if total is None else total + part
        assert total is not None
        image = total.op("Transpose", perm=[0, 3, 1, 2])
        return image.op("AveragePool", kernel_shape=[count, count], strides=[count, count]) if count > 1 else image

    def _places(self, start: int, end: int, count: int, size: Dim, axes: list[int]) -> tuple[TensorExpr, TensorExpr]:
        """Where the points of each box are along an axis, and whether that is inside the image."""
        shift = 0.5 if self.op.aligned else 0.0
        low, high = (self._column(n) * float(self.op.scale) - shift for n in (start, end))
        length = high - low
        if not self.op.aligned:
            length = length.op("Max", 1.0)
        place = low + self._constant(np.arange(count) + 0.5) * (length / float(count))
        limit = self.x.like(float(size) if isinstance(size, int) else size)
        inside = place.less(-1.0).op("Or", place.greater(limit)).negation()
        kept = place.op("Max", 0.0).op("Min", limit - 1.0)
        return self._unsqueezed(kept, *axes), self._unsqueezed(inside, *axes)

    def _column(self, number: int) -> TensorExpr:
        """A column of the boxes, [K, 1]."""
        return self.boxes.op("Gather", TensorExpr(self.site, self.site.ints([number]), INT64), axis=1)

    def _pixels(self) -> TensorExpr:
        """All pixels of all images, [N * H * W, C]."""
        channels = self.site.given.x.shape[1]
        shape = TensorExpr(self.site, self.site.ints([-1, channels]), INT64)
        return self.x.op("Transpose", perm=[0, 2, 3, 1]).op("Reshape", shape)

    def _index(self, place: TensorExpr, size: Dim) -> TensorExpr:
        return place.cast(INT64).op("Min", self._number(size - 1))

    def _number(self, size: Dim) -> TensorExpr:
        return TensorExpr(self.site, self.site.scalar(size, INT64), INT64)

    def _constant(self, numbers: NDArray[Any]) -> TensorExpr:
        return TensorExpr(self.site, self.site.constant(numbers.astype(numpy_dtype(self.x.dtype))), self.x.dtype)

    def _unsqueezed(self, x: TensorExpr, *axes: int) -> TensorExpr:
        return TensorExpr(self.site, self.site.add("Unsqueeze", [x.name, self.site.ints(axes)]), x.dtype)
