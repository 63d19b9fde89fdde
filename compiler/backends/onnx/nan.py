"""Reductions, and the positions of maxima and minima, of what may have NaN: PyTorch keeps it, ONNX Runtime passes over it.

In: a tensor, and the axes to reduce. Out: one tensor. Always: of element types without NaN, one node; of the others, what ONNX Runtime
computes is replaced where there is a NaN.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import nan

from ...dims import Dim
from ...types.tensor_types import BOOL, FLOAT32, INT64
from .tensor_expressions import INT32, TensorExpr


def isnan(x: TensorExpr) -> TensorExpr:
    """Of a tensor of floats, where it is NaN."""
    number = x.cast(FLOAT32) if x.dtype.name == "bfloat16" else x
    return number.op("IsNaN", to=BOOL)


def reduced(x: TensorExpr, op_type: str, axes: Sequence[Dim] | None, *, keepdims: bool) -> TensorExpr:
    """What `op_type`, ReduceMax or such, makes of the axes (None: of all), or NaN."""
    given = () if axes is None else (TensorExpr(x.site, x.site.ints(axes), INT64),)
    found = x.op(op_type, *given, keepdims=int(keepdims))
    if not x.dtype.is_float:
        return found
    lost = isnan(x).op("ReduceMax", *given, keepdims=int(keepdims))
    return lost.choose(x.like(nan), found)


def position(x: TensorExpr, op_type: str, axis: int, *, keepdims: bool) -> TensorExpr:
    """The position of the first maximum or minimum along the axis, or of the first NaN: `op_type` is ArgMax or ArgMin."""
    kept = int(keepdims)
    found = x.op(op_type, to=INT64, axis=axis, keepdims=kept)
    if not x.dtype.is_float:
        return found
    missing = isnan(x)
    lost = missing.op("ReduceMax", TensorExpr(x.site, x.site.ints([axis]), INT64), keepdims=kept)
    return lost.choose(missing.cast(INT32).op("ArgMax", to=INT64, axis=axis, keepdims=kept), found)
