"""Reduces tensors that may have NaN: PyTorch keeps NaN, ONNX Runtime ignores it in maxima and minima.

In: a tensor, and the axes to reduce. Out: one tensor. Always: for element types without NaN, one node. For others, ONNX Runtime's result
is replaced where there is a NaN.

    >>> import netc
    >>> netc.compile("input 3 -> max axis=1").session()([[1.0, float("nan"), 2.0]])
    array([nan], dtype=float32)
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from ...dims import Dim
from ...types.tensor_types import BOOL, FLOAT32, INT64
from .tensor_expressions import INT32, TensorExpr


def is_nan(x: TensorExpr) -> TensorExpr:
    """Return a bool tensor that is true where a tensor of floats is NaN."""
    number = x.cast(FLOAT32) if x.dtype.name == "bfloat16" else x
    return number.op("IsNaN", to=BOOL)


def reduce_keeping_nan(x: TensorExpr, op_type: str, axes: Sequence[Dim] | None, *, keepdims: bool) -> TensorExpr:
    """Reduce the axes (None: all) by `op_type`, such as ReduceMax. The result is NaN where an element is NaN."""
    axes_input = () if axes is None else (TensorExpr(x.site, x.site.ints(axes), INT64),)
    result = x.op(op_type, *axes_input, keepdims=int(keepdims))
    if not x.dtype.is_float:
        return result
    has_nan = is_nan(x).op("ReduceMax", *axes_input, keepdims=int(keepdims))
    return has_nan.choose(x.like(nan), result)


def find_extreme_position(x: TensorExpr, op_type: str, axis: int, *, keepdims: bool) -> TensorExpr:
    """Find the position of the first maximum or minimum along the axis, or of the first NaN. `op_type` is ArgMax or ArgMin."""
    kept = int(keepdims)
    index = x.op(op_type, to=INT64, axis=axis, keepdims=kept)
    if not x.dtype.is_float:
        return index
    nan_mask = is_nan(x)
    has_nan = nan_mask.op("ReduceMax", TensorExpr(x.site, x.site.ints([axis]), INT64), keepdims=kept)
    return has_nan.choose(nan_mask.cast(INT32).op("ArgMax", to=INT64, axis=axis, keepdims=kept), index)
