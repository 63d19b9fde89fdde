"""Writes dense layers, bilinear layers and embeddings, with the parameters of the checkpoint: `Linear(3, 8, rngs=rngs)`."""

from __future__ import annotations

from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ..code.python_expressions import Code, Default, SelfMember, call_function, construct_module
from .array_emitters import ARRAY, ArraySite


@ARRAY.module(Dense, target="Linear, with the weight [out, in]")
def emit_dense(op: Dense, site: ArraySite) -> Code:
    x = site.given.x
    sizes = {"in_features": x.shape[-1], "out_features": op.units}
    return construct_module("Linear", sizes, bias=Default(op.bias, True), dtype=site.words.make_dtype_keyword(x.dtype), **site.words.draws)


@ARRAY.given(Dense)
def emit_dense_function(op: Dense, site: ArraySite) -> Code:
    return call_function("linear", site.x, site.weight, *site.present("bias"))


@ARRAY.module(Bilinear, target="{array}.einsum")
def emit_bilinear(op: Bilinear, site: ArraySite) -> Code:
    a, b = site.given.a, site.given.b
    sizes = {"in1_features": a.shape[-1], "in2_features": b.shape[-1], "out_features": op.units}
    return construct_module(
        "Bilinear", sizes, bias=Default(op.bias, True), dtype=site.words.make_dtype_keyword(a.dtype), **site.words.draws
    )


@ARRAY.given(Bilinear)
def emit_bilinear_function(op: Bilinear, site: ArraySite) -> Code:
    return call_function("bilinear", site.a, site.b, site.weight, *site.present("bias"))


@ARRAY.module(Embedding, target="Embedding, with the weight of the checkpoint")
def emit_embedding(op: Embedding, site: ArraySite) -> Code:
    if op.padding_idx is None and op.max_norm is None:
        return construct_module("Embedding", _list_sizes(op), dtype=site.words.make_dtype_keyword(op.dtype), **site.words.draws)
    return construct_module(
        "PaddedEmbedding", _list_sizes(op), **_list_options(op), dtype=site.words.make_dtype_keyword(op.dtype), **site.words.draws
    )


@ARRAY.given(Embedding)
def emit_embedding_function(op: Embedding, site: ArraySite) -> Code:
    return call_function("embed", site.indices, site.weight, padding_idx=Default(op.padding_idx, None))


@ARRAY.module(EmbeddingBag, target="{array}.take")
def emit_embedding_bag(op: EmbeddingBag, site: ArraySite) -> Code:
    keywords = {**_list_options(op), "mode": Default(op.mode, "mean"), "include_last_offset": Default(op.include_last_offset, False)}
    return construct_module("EmbeddingBag", _list_sizes(op), **keywords, dtype=site.words.make_dtype_keyword(op.dtype), **site.words.draws)


@ARRAY.invocation(EmbeddingBag)
def emit_embedding_bag_call(op: EmbeddingBag, site: ArraySite) -> Code:
    weights = Default(site.get("per_sample_weights"), None)
    return call_function(SelfMember(), site.indices, *site.present("offsets"), per_sample_weights=weights)


def _list_sizes(op: Embedding | EmbeddingBag) -> dict[str, object]:
    return {"num_embeddings": op.num, "embedding_dim": op.dim}


def _list_options(op: Embedding | EmbeddingBag) -> dict[str, object]:
    norm_type = 2.0 if op.max_norm is None else op.norm_type
    return {"padding_idx": Default(op.padding_idx, None), "max_norm": Default(op.max_norm, None), "norm_type": Default(norm_type, 2.0)}
