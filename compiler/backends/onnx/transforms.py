"""Emits Fourier transforms by ONNX's DFT.

In: a tensor with a last axis of real and imaginary parts, or of real parts alone. Out: a tensor with both. Always: the transform is
computed in float64, because ONNX Runtime's DFT in float32 loses several digits if the size is no power of 2.
"""

from __future__ import annotations

import numpy as np

from ...dims import Dim
from ...types.tensor_types import INT64
from .tensor_expressions import FLOAT64, TensorExpr


def conjugate(x: TensorExpr) -> TensorExpr:
    return x.op("Mul", TensorExpr(x.site, x.site.constant(np.array([1.0, -1.0])), FLOAT64))


def transform_axis(x: TensorExpr, axis: int, size: Dim, length: Dim | None = None, *, onesided: bool = False) -> TensorExpr:
    """Compute the sums of `x[t] * exp(-2 pi i k t / size)` over an axis that is cut off or padded with zeros to that size.

    `length` is the size of the axis before, if it is known.
    """
    site, name, number = x.site, x.name, ""
    # If the size is not constant, ONNX's shape inference says that the axis keeps its length, even if one side is computed. ONNX Runtime
    # believes it, and fails when it reuses memory. Without a size, and for an axis of unknown length, it infers nothing.
    if isinstance(size, int) or size != length:
        number = site.scalar(size, INT64)
    if not isinstance(size, int) and length is not None and size != length:
        name = site.add("Slice", [name, *(site.ints([end]) for end in (0, size, axis))])
    return TensorExpr(site, site.add("DFT", [name, number, site.scalar(axis, INT64)], onesided=1 if onesided else None), FLOAT64)


def invert_transform(x: TensorExpr, axis: int, size: Dim, length: Dim | None = None) -> TensorExpr:
    """Compute the same sums with `+2 pi i`, not divided by the size."""
    # As a conjugate of DFT: DFT's own inverse loses digits in ONNX Runtime even in float64.
    return conjugate(transform_axis(conjugate(x), axis, size, length))


def invert_real_transform(x: TensorExpr, axis: int, rank: int, size: Dim) -> TensorExpr:
    """Compute the real part of the inverse from the first half of the frequencies, without the axis of two. The others are their
    conjugates.

    `rank` is the rank of `x`. If there are fewer frequencies, the missing ones are 0.
    """
    site, half = x.site, size // 2 + 1
    first = TensorExpr(site, site.add("Slice", [x.name, *(site.ints([number]) for number in (0, half, axis))]), FLOAT64)
    length = site.add("Gather", [site.add("Shape", [first.name]), site.scalar(axis, INT64)])
    count = TensorExpr(site, site.add("Range", [site.scalar(0, INT64), length, site.scalar(1, INT64)]), INT64)
    # Each frequency counts twice, for itself and its conjugate, except those that are their own: the first and, for an even
    # size, the last.
    is_own_conjugate = count.equal(0).op("Or", (count + count).equal(size))
    factors = is_own_conjugate.choose(count.like(1), count.like(2)).cast(FLOAT64)
    column = factors.op("Reshape", TensorExpr(site, site.ints([-1, *[1] * (rank - 1 - axis)]), INT64))
    return take_real_part(transform_axis(conjugate(first * column), axis, size))


def take_real_part(x: TensorExpr) -> TensorExpr:
    return TensorExpr(x.site, x.site.add("Gather", [x.name, x.site.scalar(0, INT64)], axis=-1), FLOAT64)
