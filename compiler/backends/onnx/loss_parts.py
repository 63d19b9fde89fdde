"""What losses are made of in ONNX: reductions, logarithms of probabilities.

In: tensors of the graph that is being written. Out: nodes. Always: half types are computed in float32, as PyTorch does.
"""

from __future__ import annotations

from ...ops.loss import Loss
from ...ops.scalars import compute_dtype
from ...types.tensor_types import INT64
from .norms import reduce_axes
from .tensor_expressions import TensorExpr, log1p


def cast_for_compute(x: TensorExpr) -> TensorExpr:
    """The tensor in the element type that PyTorch computes in."""
    return x.cast(compute_dtype(x.dtype))


def reduce_loss(op: Loss, each: TensorExpr, count: TensorExpr | None = None) -> TensorExpr:
    """The losses of elements or samples, reduced as `op` says. `count`: what the mean divides by, if not their number."""
    match op.reduction:
        case "none":
            return each
        case "sum":
            return reduce_axes(each, "ReduceSum")
    # The mean over no samples is NaN, as 0 / 0 is. ONNX Runtime's ReduceMean gives 0.
    return reduce_axes(each, "ReduceSum") / (each.op("Size", to=INT64).cast(each.dtype) if count is None else count)


def log_sigmoid(x: TensorExpr) -> TensorExpr:
    """`log(sigmoid(x))`, without loss on either side."""
    return x.op("Min", 0.0) - log1p((-abs(x)).exp())


def hinge(x: TensorExpr) -> TensorExpr:
    """`max(0, x)`."""
    return x.op("Max", 0.0)
