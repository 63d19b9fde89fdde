"""Emits sums and norms over axes.

In: a tensor of the graph that is being written, and axes (None: all). Out: nodes. Always: NaN stays NaN.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from ...dims import Dim
from ...types.tensor_types import INT64
from .nan import reduce_keeping_nan
from .tensor_expressions import TensorExpr


def reduce_axes(x: TensorExpr, op_type: str, axes: Sequence[Dim] | None = None, *, keepdims: bool = False) -> TensorExpr:
    """Reduce these axes by `op_type`."""
    axes_input = () if axes is None else (TensorExpr(x.site, x.site.ints(axes), INT64),)
    return x.op(op_type, *axes_input, keepdims=int(keepdims))


def average_axes(x: TensorExpr, axes: Sequence[int]) -> TensorExpr:
    """Average over axes, which stay as axes of size 1."""
    # One axis after the other, the last one first: ONNX Runtime adds numbers one by one, which loses 12 bits for 512x512 equal numbers, and
    # only 3 bits for 512 (microsoft/onnxruntime#28450, #12043).
    for axis in sorted(axes, reverse=True):
        x = reduce_axes(x, "ReduceMean", [axis], keepdims=True)
    return x


def subtract_mean(x: TensorExpr, axes: Sequence[int]) -> TensorExpr:
    """Subtract the mean over the axes."""
    # The mean of the differences is the rounding error of the first mean, and is subtracted too.
    differences = x - average_axes(x, axes)
    return differences - average_axes(differences, axes)


def p_norm(x: TensorExpr, p: float, axes: Sequence[Dim] | None, *, keepdims: bool = False) -> TensorExpr:
    """Compute the p-th root of the sum of p-th powers of the absolute values."""
    known: dict[float, Callable[[], TensorExpr]] = {
        2: lambda: reduce_axes(x, "ReduceL2", axes, keepdims=keepdims),
        1: lambda: reduce_axes(x, "ReduceL1", axes, keepdims=keepdims),
        # ONNX Runtime's ReduceMax drops NaN at some positions (microsoft/onnxruntime#10514), and a norm must keep it.
        inf: lambda: reduce_keeping_nan(abs(x), "ReduceMax", axes, keepdims=keepdims),
        -inf: lambda: reduce_keeping_nan(abs(x), "ReduceMin", axes, keepdims=keepdims),
        0: lambda: reduce_axes(x.truth().cast(x.dtype), "ReduceSum", axes, keepdims=keepdims),
    }
    if p in known:
        return known[p]()
    return reduce_axes(abs(x).op("Pow", p), "ReduceSum", axes, keepdims=keepdims).op("Pow", 1 / p)
