"""Emits the parts of losses: reductions, and logarithms of probabilities.

In: tensors of the graph that is being written. Out: nodes. Always: half types are computed in float32, as PyTorch does.
"""

from __future__ import annotations

from ...ops.loss import Loss
from ...ops.scalars import compute_dtype
from ...types.tensor_types import INT64
from .norms import reduce_axes
from .tensor_expressions import TensorExpr, log1p


def cast_for_compute(x: TensorExpr) -> TensorExpr:
    """Cast the tensor to the element type that PyTorch computes in."""
    return x.cast(compute_dtype(x.dtype))


def reduce_loss(op: Loss, each: TensorExpr, count: TensorExpr | None = None) -> TensorExpr:
    """Reduce the losses of elements or samples as `op` says. `count`: the divisor of the mean, if not the number of losses."""
    match op.reduction:
        case "none":
            return each
        case "sum":
            return reduce_axes(each, "ReduceSum")
    # The mean over no samples is NaN, as 0 / 0 is. ONNX Runtime's ReduceMean gives 0.
    return reduce_axes(each, "ReduceSum") / (each.op("Size", to=INT64).cast(each.dtype) if count is None else count)


def log_sigmoid(x: TensorExpr) -> TensorExpr:
    """Compute `log(sigmoid(x))`, without loss of precision on either side."""
    # `sigmoid` of a large negative number underflows to 0, whose logarithm is -infinity.
    return x.op("Min", 0.0) - log1p((-abs(x)).exp())


def hinge(x: TensorExpr) -> TensorExpr:
    """Compute `max(0, x)`."""
    return x.op("Max", 0.0)
