"""Writes dense layers, bilinear layers and embeddings with a given weight in PyTorch: `F.linear(x, weight)`."""

from __future__ import annotations

from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ...python.code.python_expressions import Code, Default, SelfMember, call_function
from ..torch_emitters import TorchSite, given, invocation


@given(Dense)
def emit_dense_function(op: Dense, site: TorchSite) -> Code:
    return call_function("F.linear", site.x, site.weight, *site.present("bias"))


@given(Bilinear)
def emit_bilinear_function(op: Bilinear, site: TorchSite) -> Code:
    return call_function("F.bilinear", site.a, site.b, site.weight, *site.present("bias"))


@given(Embedding)
def emit_embedding_function(op: Embedding, site: TorchSite) -> Code:
    # Without `max_norm`: the type rule refuses it for a given weight, which PyTorch would change in place.
    return call_function("F.embedding", site.indices, site.weight, padding_idx=Default(op.padding_idx, None))


@invocation(EmbeddingBag)
def emit_embedding_bag_call(op: EmbeddingBag, site: TorchSite) -> Code:
    weights = Default(site.get("per_sample_weights"), None)
    return call_function(SelfMember(), site.indices, *site.present("offsets"), per_sample_weights=weights)
