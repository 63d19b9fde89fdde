"""Writes operators that draw random numbers in training: `nnx.Dropout(0.1, rngs=rngs)`."""

from __future__ import annotations

from ....ops.regularization import AlphaDropout, ChannelDropout, Detach, Dropout, DropPath, Identity, Rrelu
from ..code.class_tree import NameCode
from ..code.python_expressions import Code, Default, call_function, construct_module
from ..lowering.differentiated_tensors import RequireGradient
from .array_emitters import ARRAY, ArraySite


@ARRAY.module(Identity, target="the tensor itself")
def emit_identity_layer(op: Identity, site: ArraySite) -> Code:
    return NameCode("identity")


@ARRAY.function(Identity)
def emit_identity(op: Identity, site: ArraySite) -> Code:
    return site.x


@ARRAY.function(Detach, target="{array}.stop_gradient")
def emit_detach(op: Detach, site: ArraySite) -> Code:
    return call_function(site.words.get_function(op), site.x)


@ARRAY.function(RequireGradient)
def emit_require_gradient(op: RequireGradient, site: ArraySite) -> Code:
    return site.x


# Only modules from here on: they follow `train()` and `eval()`, and have random numbers of their own.
@ARRAY.module(Dropout, target="{dropout}")
def emit_dropout(op: Dropout, site: ArraySite) -> Code:
    return construct_module(site.words.dropout, {"p": op.p}, **site.words.draws)


@ARRAY.module(ChannelDropout, DropPath, target="{dropout}, with broadcast_dims")
def emit_dropout_of_parts(op: ChannelDropout | DropPath, site: ArraySite) -> Code:
    first = 1 if isinstance(op, DropPath) else 2
    return construct_module(site.words.dropout, {"p": op.p}, broadcast_dims=tuple(range(first, site.given.x.rank)), **site.words.draws)


@ARRAY.module(AlphaDropout, target="{random}.bernoulli")
def emit_alpha_dropout(op: AlphaDropout, site: ArraySite) -> Code:
    return construct_module("AlphaDropout", {"p": op.p}, **site.words.draws)


@ARRAY.module(Rrelu, target="{random}.uniform")
def emit_rrelu(op: Rrelu, site: ArraySite) -> Code:
    return construct_module("RReLU", {}, lower=Default(op.lower, 1 / 8), upper=Default(op.upper, 1 / 3), **site.words.draws)
