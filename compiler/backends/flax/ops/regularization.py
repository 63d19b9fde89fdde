"""Writes operators that draw random numbers in training, in Flax: `nnx.Dropout(0.1, rngs=rngs)`."""

from __future__ import annotations

from ....ops.differentiation import Gradient
from ....ops.regularization import AlphaDropout, ChannelDropout, Detach, Dropout, DropPath, Identity, Rrelu
from ...python.code.class_tree import NameCode
from ...python.code.python_expressions import Code, Default, call_function, construct_module
from ...python.lowering.differentiated_tensors import RequireGradient
from ..flax_emitters import EMITTERS, FlaxSite, function, module
from ..flax_framework import RNGS


@module(Identity, target="the tensor itself")
def emit_identity_layer(op: Identity, site: FlaxSite) -> Code:
    return NameCode("identity")


@function(Identity)
def emit_identity(op: Identity, site: FlaxSite) -> Code:
    return site.x


@function(Detach, target="jax.lax.stop_gradient")
def emit_detach(op: Detach, site: FlaxSite) -> Code:
    return call_function("jax.lax.stop_gradient", site.x)


@function(RequireGradient)
def emit_require_gradient(op: RequireGradient, site: FlaxSite) -> Code:
    return site.x


# Only modules from here on: they follow `train()` and `eval()`, and have random numbers of their own.
@module(Dropout, target="flax.nnx.Dropout")
def emit_dropout(op: Dropout, site: FlaxSite) -> Code:
    return construct_module("nnx.Dropout", {"p": op.p}, rngs=RNGS)


@module(ChannelDropout, DropPath, target="flax.nnx.Dropout, with broadcast_dims")
def emit_dropout_of_parts(op: ChannelDropout | DropPath, site: FlaxSite) -> Code:
    first = 1 if isinstance(op, DropPath) else 2
    return construct_module("nnx.Dropout", {"p": op.p}, broadcast_dims=tuple(range(first, site.given.x.rank)), rngs=RNGS)


@module(AlphaDropout, target="jax.random.bernoulli")
def emit_alpha_dropout(op: AlphaDropout, site: FlaxSite) -> Code:
    return construct_module("AlphaDropout", {"p": op.p}, rngs=RNGS)


@module(Rrelu, target="jax.random.uniform")
def emit_rrelu(op: Rrelu, site: FlaxSite) -> Code:
    return construct_module("RReLU", {}, lower=Default(op.lower, 1 / 8), upper=Default(op.upper, 1 / 3), rngs=RNGS)


EMITTERS.name_expanded(Gradient, target="the derivatives of each operator")
