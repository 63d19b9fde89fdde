"""Writes activations: `nnx.relu(x)`, and `nnx.relu` as a layer of a sequence."""

from __future__ import annotations

from collections.abc import Callable

from ....ops.activation import (
    Celu,
    Elu,
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
from ....ops.operator import Operator
from ....ops.scalars import cast_scalar
from ..code.python_expressions import Code, Default, Infix, Prefix, call_function, call_method, to_code
from .array_emitters import ARRAY, ArraySite

_PLAIN: tuple[type[Operator], ...] = (
    *(Celu, Elu, Glu, Hardsigmoid, Hardswish, LeakyRelu, Logsigmoid, LogSoftmax, Mish),
    *(Relu, Relu6, Selu, Sigmoid, Silu, Softmax, Softsign, Tanh),
)
"""The activations that are one function, whose arguments have the names of the operator's."""
_DEFAULTS = {"negative_slope": 0.01, "alpha": 1.0, "axis": -1}
"""The defaults of the arguments, by their names."""


@ARRAY.layer_function(*_PLAIN, target="{array}.{}")
def emit_plain(op: Operator, site: ArraySite) -> Code:
    options = {name: Default(op.args[name], _DEFAULTS[name]) for name in op.signature}
    x, result = site.given.x.dtype, site.results[0].dtype
    if isinstance(op, Relu6) and x.is_integer:
        return site.words.call_clip(site.x, 0, 6)
    # The functions of frameworks take floats only.
    tensor = call_method(site.x, "astype", site.words.get_dtype(result)) if result.is_float and not x.is_float else site.x
    function = site.words.get_function(op)
    if "axis" in options and not site.given.x.rank:
        return call_as_vector(tensor, lambda vector: call_function(function, vector, axis=0))
    return call_function(function, tensor, **options)


def call_as_vector(scalar: Code, call: Callable[[Code], Code]) -> Code:
    """Call a function along an axis, which a scalar does not have."""
    return call_method(call(call_method(scalar, "reshape", 1)), "reshape", ())


@ARRAY.layer_function(Hardtanh, target="{array}.where")
def emit_hardtanh(op: Hardtanh, site: ArraySite) -> Code:
    if site.given.x.dtype.is_integer:
        return site.words.call_clip(site.x, int(op.min_val), int(op.max_val))
    return call_function("hardtanh", site.x, min_val=Default(op.min_val, -1.0), max_val=Default(op.max_val, 1.0))


@ARRAY.function(Softmin, target="{nn}.softmax")
def emit_softmin(op: Softmin, site: ArraySite) -> Code:
    if not site.given.x.rank:
        return call_as_vector(site.x, lambda vector: site.words.call_nn("softmax", vector, axis=0))
    return site.words.call_nn("softmax", Prefix("-", site.x), axis=Default(op.axis, -1))


@ARRAY.layer_function(Softplus, target="{nn}.softplus")
def emit_softplus(op: Softplus, site: ArraySite) -> Code:
    # Above 20, the result is `x` in float32 anyway.
    if op.threshold < 20:
        return call_function("softplus", site.x, beta=Default(op.beta, 1.0), threshold=to_code(op.threshold, "threshold"))
    if op.beta == 1:
        return site.words.call_nn("softplus", site.x)
    return Infix("/", site.words.call_nn("softplus", Infix("*", to_code(op.beta, "beta"), site.x)), to_code(op.beta, "beta"))


@ARRAY.function(Hardshrink, target="{array}.where")
def emit_hardshrink(op: Hardshrink, site: ArraySite) -> Code:
    limit = to_code(op.lambd, "lambd")
    return site.words.call("where", Infix("<=", site.words.call("abs", site.x), limit), 0, site.x)  # NaN stays


@ARRAY.function(Softshrink, target="{array}.sign")
def emit_softshrink(op: Softshrink, site: ArraySite) -> Code:
    size = Infix("-", site.words.call("abs", site.x), to_code(op.lambd, "lambd"))
    return Infix("*", site.words.call("sign", site.x), site.words.call_nn("relu", size))


@ARRAY.function(Tanhshrink, target="x - {array}.tanh(x)")
def emit_tanhshrink(op: Tanhshrink, site: ArraySite) -> Code:
    return Infix("-", site.x, site.words.call("tanh", site.x))


@ARRAY.function(Threshold, target="{array}.where")
def emit_threshold(op: Threshold, site: ArraySite) -> Code:
    x = site.given.x.dtype
    threshold, value = (cast_scalar(one, x) if x.is_integer else one for one in (op.threshold, op.value))
    return site.words.call("where", Infix("<=", site.x, to_code(threshold, "threshold")), value, site.x)


@ARRAY.given(Prelu)
def emit_prelu_function(op: Prelu, site: ArraySite) -> Code:
    return call_function("prelu", site.x, site.weight)
