"""What losses are made of in ONNX: reductions, logarithms of probabilities.

In: tensors of the graph that is being written. Out: nodes. Always: half types are computed in float32, as PyTorch does.
"""

from __future__ import annotations

from collections.abc import Sequence

from ...ir.types import FLOAT64, INT64
from ...ops.loss import Loss
from ...ops.scalars import computed
from .expressions import TensorExpr


def computed_in(x: TensorExpr) -> TensorExpr:
    """The tensor in the element type that PyTorch computes in."""
    return x.cast(computed(x.dtype))


def over(x: TensorExpr, op_type: str, axes: Sequence[int] | None = None, *, keepdims: bool = False) -> TensorExpr:
    """The reduction `op_type` of these axes; None: of all."""
    given = () if axes is None else (TensorExpr(x.site, x.site.ints(axes), INT64),)
    return x.op(op_type, *given, keepdims=int(keepdims))


def reduced_as(op: Loss, each: TensorExpr, count: TensorExpr | None = None) -> TensorExpr:
    """The losses of elements or samples, reduced as `op` says. `count`: what the mean divides by, if not their number."""
    match op.reduction:
        case "none":
            return each
        case "sum":
            return over(each, "ReduceSum")
    return over(each, "ReduceMean") if count is None else over(each, "ReduceSum") / count


def log_softmax(x: TensorExpr, axis: int) -> TensorExpr:
    """ONNX Runtime's LogSoftmax of float64 loses NaN."""
    if x.dtype != FLOAT64:
        return x.op("LogSoftmax", axis=axis)
    shifted = x - over(x, "ReduceMax", [axis], keepdims=True)
    return shifted - over(shifted.exp(), "ReduceSum", [axis], keepdims=True).log()
