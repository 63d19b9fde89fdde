"""Writes activations in Flax: `nnx.relu(x)`, and `nnx.relu` as a layer of a sequence."""

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
from ....ops.operator import Operator
from ...python.code.python_expressions import Code, Default, Infix, Prefix, call_function, call_method, construct_module, to_code
from ..flax_emitters import FlaxSite, function, given, layer_function, module
from ..flax_framework import get_jax_dtype, make_dtype_keyword

_PLAIN: dict[type[Operator], str] = {
    Celu: "nnx.celu",
    Elu: "nnx.elu",
    Glu: "nnx.glu",
    Hardsigmoid: "nnx.hard_sigmoid",
    Hardswish: "nnx.hard_swish",
    LeakyRelu: "nnx.leaky_relu",
    Logsigmoid: "nnx.log_sigmoid",
    LogSoftmax: "nnx.log_softmax",
    Mish: "jax.nn.mish",
    Relu: "nnx.relu",
    Relu6: "nnx.relu6",
    Selu: "nnx.selu",
    Sigmoid: "nnx.sigmoid",
    Silu: "nnx.silu",
    Softmax: "nnx.softmax",
    Softsign: "nnx.soft_sign",
    Tanh: "jnp.tanh",
}
_DEFAULTS = {"negative_slope": 0.01, "alpha": 1.0, "axis": -1}
"""The defaults of JAX's arguments, by their names."""


def _get_full_name(name: str) -> str:
    return name.replace("nnx.", "jax.nn.").replace("jnp.", "jax.numpy.")


@layer_function(*_PLAIN, target={cls: _get_full_name(name) for cls, name in _PLAIN.items()})
def emit_plain(op: Operator, site: FlaxSite) -> Code:
    options = {name: Default(op.args[name], _DEFAULTS[name]) for name in op.signature}
    x, result = site.given.x.dtype, site.results[0].dtype
    if isinstance(op, Relu6) and x.is_integer:
        return call_function("jnp.clip", site.x, min=0, max=6)
    # Functions of jax.nn take floats only.
    tensor = call_method(site.x, "astype", get_jax_dtype(result)) if result.is_float and not x.is_float else site.x
    return call_function(_PLAIN[type(op)], tensor, **options)


@layer_function(Gelu, target="jax.nn.gelu")
def emit_gelu(op: Gelu, site: FlaxSite) -> Code:
    return call_function("nnx.gelu", site.x, approximate=Default(op.approximate == "tanh", True))


@layer_function(Hardtanh, target="jax.numpy.clip")
def emit_hardtanh(op: Hardtanh, site: FlaxSite) -> Code:
    low, high = (int(n) if site.given.x.dtype.is_integer else n for n in (op.min_val, op.max_val))
    return call_function("jnp.clip", site.x, min=low, max=high)


@function(Softmin, target="jax.nn.softmax")
def emit_softmin(op: Softmin, site: FlaxSite) -> Code:
    return call_function("nnx.softmax", Prefix("-", site.x), axis=Default(op.axis, -1))


@layer_function(Softplus, target="jax.nn.softplus")
def emit_softplus(op: Softplus, site: FlaxSite) -> Code:
    if op.beta == 1:
        return call_function("nnx.softplus", site.x)
    return Infix("/", call_function("nnx.softplus", Infix("*", to_code(op.beta, "beta"), site.x)), to_code(op.beta, "beta"))


@function(Hardshrink, target="jax.numpy.where")
def emit_hardshrink(op: Hardshrink, site: FlaxSite) -> Code:
    limit = to_code(op.lambd, "lambd")
    return call_function("jnp.where", Infix(">", call_function("jnp.abs", site.x), limit), site.x, 0)


@function(Softshrink, target="jax.numpy.sign")
def emit_softshrink(op: Softshrink, site: FlaxSite) -> Code:
    size = Infix("-", call_function("jnp.abs", site.x), to_code(op.lambd, "lambd"))
    return Infix("*", call_function("jnp.sign", site.x), call_function("nnx.relu", size))


@function(Tanhshrink, target="x - jax.numpy.tanh(x)")
def emit_tanhshrink(op: Tanhshrink, site: FlaxSite) -> Code:
    return Infix("-", site.x, call_function("jnp.tanh", site.x))


@function(Threshold, target="jax.numpy.where")
def emit_threshold(op: Threshold, site: FlaxSite) -> Code:
    return call_function("jnp.where", Infix(">", site.x, to_code(op.threshold, "threshold")), site.x, op.value)


@module(Prelu, target="PReLU, with the weight of the checkpoint")
def emit_prelu(op: Prelu, site: FlaxSite) -> Code:
    x = site.given.x
    slope = op.init.values[0] if op.init is not None and op.init.kind == "constant" else 0.25
    count = Default(op.count_parameters(x), 1)
    return construct_module("PReLU", {}, num_parameters=count, init=Default(slope, 0.25), dtype=make_dtype_keyword(x.dtype))


@given(Prelu)
def emit_prelu_function(op: Prelu, site: FlaxSite) -> Code:
    return call_function("prelu", site.x, site.weight)
