"""Activations in ONNX.

Those that have an operator of their own are that operator, but for float64, of which ONNX Runtime's CPU has no kernels and in which ONNX's
attributes, which are float32, would not be exact: there they are composed.
"""

from __future__ import annotations

from ....ops.activation import (
    Celu,
    Elu,
    Gelu,
    Glu,
    Hardshrink,
    Hardsigmoid,
    Hardswish,
    Hardtanh,
    LeakyRelu,
    Logsigmoid,
    LogSoftmax,
    Mish,
    Prelu,
    Relu,
    Relu6,
    Selu,
    Sigmoid,
    Silu,
    Softmax,
    Softmin,
    Softplus,
    Softshrink,
    Softsign,
    Tanh,
    Tanhshrink,
    Threshold,
)
from ....ops.base import Operator
from ....ops.pointwise import computed, held
from ....types import FLOAT32
from ..table import Site, emits
from ..terms import FLOAT64, Term, erf, expm1, precise, softplus, term, wide_integer

_SELU_SCALE, _SELU_ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717
_SQRT_HALF, _SQRT_TWO_OVER_PI = 0.70710678118654752440, 0.79788456080286535588


def _wide(site: Site) -> bool:
    return site.given[0].dtype == FLOAT64


def _real(site: Site) -> Term:
    """The input, integers as float32."""
    x = term(site)
    return x if x.dtype.is_float else x.cast(FLOAT32)


@emits(Relu)
def relu(op: Relu, site: Site) -> str:
    x = term(site)
    if x.dtype.is_float:
        return x.op("Relu").name
    return x.within(wide_integer(x.dtype), lambda y: y.op("Max", 0)).name


@emits(Relu6, Hardtanh)
def clip(op: Relu6 | Hardtanh, site: Site) -> str:
    x = term(site)
    low, high = op.limits(x.dtype).values() if isinstance(op, Hardtanh) else (0, 6)
    convert = float if x.dtype.is_float else int
    return x.within(wide_integer(x.dtype), lambda y: y.op("Clip", convert(low), convert(high))).name


@emits(LeakyRelu)
def leaky_relu(op: LeakyRelu, site: Site) -> str:
    x = term(site)
    if _wide(site):
        return x.greater(0.0).choose(x, x * float(op.negative_slope)).name
    return x.op("LeakyRelu", alpha=float(op.negative_slope)).name


@emits(Prelu)
def prelu(op: Prelu, site: Site) -> str:
    x, rank = term(site), site.given[0].rank
    slope = site.parameter("weight")
    if rank == 0:
        slope = site.add("Squeeze", [slope])
    elif op.num_parameters != 1 and rank > 2:
        slope = site.add("Unsqueeze", [slope, site.ints(range(1, rank - 1))])
    if _wide(site):
        return x.greater(0.0).choose(x, x * Term(site, slope, x.dtype)).name
    return site.add("PRelu", [x.name, slope])


@emits(Elu)
def elu(op: Elu, site: Site) -> str:
    x = term(site)
    if _wide(site):
        return x.greater(0.0).choose(x, expm1(x) * float(op.alpha)).name
    return x.op("Elu", alpha=float(op.alpha)).name


@emits(Selu)
def selu(op: Selu, site: Site) -> str:
    x = term(site)
    if _wide(site):
        return (x.greater(0.0).choose(x, expm1(x) * _SELU_ALPHA) * _SELU_SCALE).name
    return x.op("Selu").name


@emits(Celu)
def celu(op: Celu, site: Site) -> str:
    """ONNX has it in float32 only."""
    x, alpha = term(site), float(op.alpha)
    if _wide(site):
        return x.greater(0.0).choose(x, expm1(x / alpha) * alpha).name
    return x.within(FLOAT32, lambda y: y.op("Celu", alpha=alpha)).name


@emits(Gelu)
def gelu(op: Gelu, site: Site) -> str:
    x = term(site)
    if not _wide(site):
        return x.op("Gelu", approximate=None if op.approximate == "none" else op.approximate).name
    if op.approximate == "none":
        return (x * 0.5 * (erf(x * _SQRT_HALF) + 1.0)).name
    inner = (x + x * x * x * 0.044715) * _SQRT_TWO_OVER_PI
    return (x * 0.5 * (inner.op("Tanh") + 1.0)).name


@emits(Silu)
def silu(op: Silu, site: Site) -> str:
    """In float64 as a quotient: of the product, ONNX Runtime before 1.31 makes its QuickGelu, which it lacks there."""
    x = term(site)
    return (x / ((-x).exp() + 1.0)).name if _wide(site) else (x * x.op("Sigmoid")).name


@emits(Mish)
def mish(op: Mish, site: Site) -> str:
    x = term(site)
    return (x * softplus(x).op("Tanh")).name if _wide(site) else x.op("Mish").name


@emits(Hardswish)
def hardswish(op: Hardswish, site: Site) -> str:
    x = term(site)
    return (x * _hard_sigmoid(x)).name if _wide(site) else x.op("HardSwish").name


@emits(Hardsigmoid)
def hardsigmoid(op: Hardsigmoid, site: Site) -> str:
    x = term(site)
    return _hard_sigmoid(x).name if _wide(site) else x.op("HardSigmoid", alpha=1 / 6, beta=0.5).name


def _hard_sigmoid(x: Term) -> Term:
    return (x + 3.0).op("Clip", 0.0, 6.0) / 6.0


@emits(Sigmoid, Tanh)
def by_name(op: Operator, site: Site) -> str:
    return _real(site).op(op.onnx).name


@emits(Softplus)
def softplus_(op: Softplus, site: Site) -> str:
    x, beta, threshold = term(site), float(op.beta), float(op.threshold)
    scaled = x if beta == 1 else x * beta
    smooth = softplus(scaled)
    smooth = smooth if beta == 1 else smooth / beta
    # From 20 on, float32 does not tell the two apart.
    if threshold >= 20 and not _wide(site):
        return smooth.name
    return scaled.greater(threshold).choose(x, smooth).name


@emits(Softsign)
def softsign(op: Softsign, site: Site) -> str:
    x = _real(site)
    return (x / (abs(x) + 1.0)).name if _wide(site) else x.op("Softsign").name


@emits(Logsigmoid)
def logsigmoid(op: Logsigmoid, site: Site) -> str:
    return (-softplus(-term(site))).name


@emits(Hardshrink)
def hardshrink(op: Hardshrink, site: Site) -> str:
    x, limit = term(site), float(op.lambd)
    if _wide(site):
        return abs(x).greater(limit).choose(x, 0.0).name
    return _shrink(x, limit, 0.0)


@emits(Softshrink)
def softshrink(op: Softshrink, site: Site) -> str:
    x, limit = term(site), float(op.lambd)
    if _wide(site):
        return (x - x.op("Clip", -limit, limit)).name
    return _shrink(x, limit, limit)


def _shrink(x: Term, limit: float, bias: float) -> str:
    """ONNX leaves bfloat16 out."""
    via = FLOAT32 if x.dtype.name == "bfloat16" else x.dtype
    return x.within(via, lambda y: y.op("Shrink", lambd=limit, bias=bias)).name


@emits(Tanhshrink)
def tanhshrink(op: Tanhshrink, site: Site) -> str:
    return precise(_real(site), lambda x: x - x.op("Tanh")).name


@emits(Threshold)
def threshold(op: Threshold, site: Site) -> str:
    x = term(site)
    limit, value = held(op.threshold, computed(x.dtype)), held(op.value, x.dtype)
    assert limit is not None
    assert value is not None
    return x.greater(limit).choose(x, value).name


@emits(Glu)
def glu(op: Glu, site: Site) -> str:
    x = term(site)
    value, gate = site.add_many("Split", [x.name], 2, axis=op.axis, num_outputs=2)
    return (Term(site, value, x.dtype) * Term(site, gate, x.dtype).op("Sigmoid")).name


@emits(Softmax)
def softmax(op: Softmax, site: Site) -> str:
    return _along(term(site), "Softmax", op.axis)


@emits(LogSoftmax)
def log_softmax(op: LogSoftmax, site: Site) -> str:
    return _along(term(site), "LogSoftmax", op.axis)


@emits(Softmin)
def softmin(op: Softmin, site: Site) -> str:
    return _along(-term(site), "Softmax", op.axis)


def _along(x: Term, op_type: str, axis: int) -> str:
    """A tensor without axes is given one for the time being."""
    if x.site.given[0].rank:
        return x.op(op_type, axis=axis).name
    vector = Term(x.site, x.site.add("Unsqueeze", [x.name, x.site.ints([0])]), x.dtype).op(op_type, axis=0)
    return x.site.add("Squeeze", [vector.name, x.site.ints([0])])
