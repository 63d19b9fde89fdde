"""Writes dense layers, bilinear layers and embeddings with a given weight: `linear(x, weight)`."""

from __future__ import annotations

from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ..code.python_expressions import Code, Default, SelfMember, call_function
from .array_emitters import ARRAY, ArraySite


@ARRAY.given(Dense)
def emit_dense_function(op: Dense, site: ArraySite) -> Code:
    return call_function("linear", site.x, site.weight, *site.present("bias"))


@ARRAY.given(Bilinear)
def emit_bilinear_function(op: Bilinear, site: ArraySite) -> Code:
    return call_function("bilinear", site.a, site.b, site.weight, *site.present("bias"))


@ARRAY.given(Embedding)
def emit_embedding_function(op: Embedding, site: ArraySite) -> Code:
    return call_function("embed", site.indices, site.weight, padding_idx=Default(op.padding_idx, None))


@ARRAY.invocation(EmbeddingBag)
def emit_embedding_bag_call(op: EmbeddingBag, site: ArraySite) -> Code:
    weights = Default(site.get("per_sample_weights"), None)
    return call_function(SelfMember(), site.indices, *site.present("offsets"), per_sample_weights=weights)
