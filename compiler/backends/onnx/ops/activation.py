"""Emit activations as ONNX nodes.

An activation with an ONNX operator of its own becomes that operator. In float64 it is composed of basic operators instead: ONNX Runtime has
no float64 kernels for activations on a CPU, and ONNX stores attributes such as `alpha` as float32, which would not be exact.
"""

from __future__ import annotations

from ....ops.activation import (
    Celu,
    Elu,
    Gelu,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyRelu,
    LogSoftmax,
    Mish,
    Prelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Threshold,
)
from ....ops.operator import Operator
from ....ops.scalars import cast_scalar, compute_dtype
from ....types.tensor_types import BOOL, FLOAT32
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr, compute_precisely, softplus, widen_integer


def _is_float64(site: Site) -> bool:
    return site.given.x.dtype == FLOAT64


def _cast_to_float(site: Site) -> TensorExpr:
    """Return the input; integers become float32."""
    x = site.x
    return x if x.dtype.is_float else x.cast(FLOAT32)


@emits(Relu, onnx="Relu")
def emit_relu(op: Relu, site: Site) -> str:
    x = site.x
    if x.dtype.is_float:
        return x.op("Relu").name
    # ONNX Runtime's Relu has no kernel for int64; its Max has one.
    return x.within(widen_integer(x.dtype), lambda y: y.op("Max", 0)).name


@emits(Relu6, Hardtanh, onnx="Clip")
def emit_clip(op: Relu6 | Hardtanh, site: Site) -> str:
    x = site.x
    low, high = op.convert_limits(x.dtype).values() if isinstance(op, Hardtanh) else (0, 6)
    convert = float if x.dtype.is_float else int
    # ONNX Runtime has no Clip of int16.
    return x.within(widen_integer(x.dtype), lambda y: y.op("Clip", convert(low), convert(high))).name


@emits(LeakyRelu, onnx="LeakyRelu")
def emit_leaky_relu(op: LeakyRelu, site: Site) -> str | None:
    return None if _is_float64(site) else site.x.op("LeakyRelu", alpha=float(op.negative_slope)).name


@emits(Prelu, onnx="PRelu")
def emit_prelu(op: Prelu, site: Site) -> str | None:
    if _is_float64(site):
        return None
    x, rank = site.x, site.given.x.rank
    slope = site.parameter("weight")
    # PyTorch's slopes belong to axis 1; ONNX broadcasts them from the last axis.
    if rank == 0:
        slope = site.add("Squeeze", [slope])
    elif op.num_parameters != 1 and rank > 2:
        slope = site.add("Unsqueeze", [slope, site.ints(range(1, rank - 1))])
    return site.add("PRelu", [x.name, slope])


@emits(Elu, onnx="Elu")
def emit_elu(op: Elu, site: Site) -> str | None:
    return None if _is_float64(site) else site.x.op("Elu", alpha=float(op.alpha)).name


@emits(Selu, onnx="Selu")
def emit_selu(op: Selu, site: Site) -> str | None:
    return None if _is_float64(site) else site.x.op("Selu").name


@emits(Celu, onnx="Celu")
def emit_celu(op: Celu, site: Site) -> str | None:
    # ONNX declares Celu for float32 only, so half types pass through it.
    return None if _is_float64(site) else site.x.within(FLOAT32, lambda x: x.op("Celu", alpha=float(op.alpha))).name


@emits(Gelu, onnx="Gelu")
def emit_gelu(op: Gelu, site: Site) -> str | None:
    if _is_float64(site) or not site.has("Gelu"):
        return None
    return site.x.op("Gelu", approximate=None if op.approximate == "none" else op.approximate).name


@emits(Silu, onnx="Sigmoid and Mul")
def emit_silu(op: Silu, site: Site) -> str:
    x = site.x
    # In float64, write a quotient: ONNX Runtime before 1.31 fuses the product into its QuickGelu, which has no float64 kernel.
    return (x / ((-x).exp() + 1.0)).name if _is_float64(site) else (x * x.op("Sigmoid")).name


@emits(Mish, onnx="Mish")
def emit_mish(op: Mish, site: Site) -> str | None:
    return None if _is_float64(site) or not site.has("Mish") else site.x.op("Mish").name


@emits(Hardswish, onnx="HardSwish")
def emit_hardswish(op: Hardswish, site: Site) -> str | None:
    return None if _is_float64(site) else site.x.op("HardSwish").name


@emits(Hardsigmoid, onnx="HardSigmoid")
def emit_hardsigmoid(op: Hardsigmoid, site: Site) -> str | None:
    return None if _is_float64(site) else site.x.op("HardSigmoid", alpha=1 / 6, beta=0.5).name


_BY_NAME: dict[type[Operator], str] = {
    Sigmoid: "Sigmoid",
    Tanh: "Tanh",
}


@emits(*_BY_NAME, onnx=_BY_NAME)
def emit_sigmoid_tanh(op: Operator, site: Site) -> str:
    return _cast_to_float(site).op(_BY_NAME[type(op)]).name


@emits(Softplus, onnx="Softplus")
def emit_softplus(op: Softplus, site: Site) -> str:
    x, beta, threshold = site.x, float(op.beta), float(op.threshold)
    scaled = x if beta == 1 else x * beta
    smooth = softplus(scaled)
    smooth = smooth if beta == 1 else smooth / beta
    # From 20 on, the two are equal in float32.
    if threshold >= 20 and not _is_float64(site):
        return smooth.name
    return scaled.greater(threshold).choose(x, smooth).name


@emits(Softsign, onnx="Softsign")
def emit_softsign(op: Softsign, site: Site) -> str:
    x = _cast_to_float(site)
    # For int32 and int64, PyTorch takes the absolute value in the integer type, where the least integer stays negative.
    if site.x.dtype.is_integer and site.x.dtype.size >= 4:
        return (x / (abs(site.x) + 1).cast(x.dtype)).name
    return (x / (abs(x) + 1.0)).name if _is_float64(site) else x.op("Softsign").name


@emits(Hardshrink, onnx="Abs, LessOrEqual and Where")
def emit_hardshrink(op: Hardshrink, site: Site) -> str:
    x = site.x
    # ONNX's Shrink would turn NaN into 0.
    return abs(x).op("LessOrEqual", float(op.lambd), to=BOOL).choose(x.like(0.0), x).name


@emits(Softshrink, onnx="Clip and Sub")
def emit_softshrink(op: Softshrink, site: Site) -> str:
    limit = float(op.lambd)
    return compute_precisely(site.x, lambda x: x - x.op("Clip", -limit, limit)).name


@emits(Threshold, onnx="LessOrEqual and Where")
def emit_threshold(op: Threshold, site: Site) -> str:
    x = site.x
    limit, value = cast_scalar(op.threshold, compute_dtype(x.dtype)), cast_scalar(op.value, x.dtype)
    assert limit is not None
    assert value is not None
    # The comparison is false for NaN, so NaN stays, as in PyTorch.
    return x.op("LessOrEqual", limit, to=BOOL).choose(x.like(value), x).name


@emits(Softmax, onnx="Softmax")
def emit_softmax(op: Softmax, site: Site) -> str:
    return _apply_along_axis(site, site.x, "Softmax", op.axis)


@emits(LogSoftmax, onnx="LogSoftmax")
def emit_log_softmax(op: LogSoftmax, site: Site) -> str | None:
    # ONNX Runtime's LogSoftmax loses NaN in float64.
    return None if _is_float64(site) else _apply_along_axis(site, site.x, "LogSoftmax", op.axis)


def _apply_along_axis(site: Site, x: TensorExpr, op_type: str, axis: int) -> str:
    """Apply an operator along an axis; a scalar gets an axis for the duration of the operator."""
    if site.given.x.rank:
        return x.op(op_type, axis=axis).name
    vector = TensorExpr(site, site.add("Unsqueeze", [x.name, site.ints([0])]), x.dtype).op(op_type, axis=0)
    return site.add("Squeeze", [vector.name, site.ints([0])])
