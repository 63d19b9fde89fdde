"""Writes dense layers, bilinear layers and embeddings in PyTorch: `nn.Linear(3, 8)`."""

from __future__ import annotations

from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ...python.code.python_expressions import Code, Default, SelfMember, call_function, construct_module
from ..torch_emitters import TorchSite, given, invocation, module
from ..torch_framework import make_dtype_keyword


@module(Dense, target="torch.nn.Linear")
def emit_dense_module(op: Dense, site: TorchSite) -> Code:
    x = site.given.x
    sizes = {"in_features": x.shape[-1], "out_features": op.units}
    return construct_module("nn.Linear", sizes, bias=Default(op.bias, True), dtype=make_dtype_keyword(x.dtype))


@given(Dense)
def emit_dense_function(op: Dense, site: TorchSite) -> Code:
    return call_function("F.linear", site.x, site.weight, *site.present("bias"))


@module(Bilinear, target="torch.nn.Bilinear")
def emit_bilinear_module(op: Bilinear, site: TorchSite) -> Code:
    a, b = site.given.a, site.given.b
    sizes = {"in1_features": a.shape[-1], "in2_features": b.shape[-1], "out_features": op.units}
    return construct_module("nn.Bilinear", sizes, bias=Default(op.bias, True), dtype=make_dtype_keyword(a.dtype))


@given(Bilinear)
def emit_bilinear_function(op: Bilinear, site: TorchSite) -> Code:
    return call_function("F.bilinear", site.a, site.b, site.weight, *site.present("bias"))


@module(Embedding, target="torch.nn.Embedding")
def emit_embedding_module(op: Embedding, site: TorchSite) -> Code:
    return construct_module("nn.Embedding", _list_table_sizes(op), **_list_row_options(op), dtype=make_dtype_keyword(op.dtype))


@given(Embedding)
def emit_embedding_function(op: Embedding, site: TorchSite) -> Code:
    # Without `max_norm`: the type rule refuses it for a given weight, which PyTorch would change in place.
    return call_function("F.embedding", site.indices, site.weight, padding_idx=Default(op.padding_idx, None))


@module(EmbeddingBag, target="torch.nn.EmbeddingBag")
def emit_embedding_bag_module(op: EmbeddingBag, site: TorchSite) -> Code:
    keywords = {**_list_row_options(op), "mode": Default(op.mode, "mean"), "include_last_offset": Default(op.include_last_offset, False)}
    return construct_module("nn.EmbeddingBag", _list_table_sizes(op), **keywords, dtype=make_dtype_keyword(op.dtype))


@invocation(EmbeddingBag)
def emit_embedding_bag_call(op: EmbeddingBag, site: TorchSite) -> Code:
    weights = Default(site.get("per_sample_weights"), None)
    return call_function(SelfMember(), site.indices, *site.present("offsets"), per_sample_weights=weights)


def _list_table_sizes(op: Embedding | EmbeddingBag) -> dict[str, object]:
    return {"num_embeddings": op.num, "embedding_dim": op.dim}


def _list_row_options(op: Embedding | EmbeddingBag) -> dict[str, object]:
    """Return the options of an embedding's rows. `norm_type` must be a float: PyTorch's kernel takes no integer."""
    norm_type = 2.0 if op.max_norm is None else float(op.norm_type)
    return {"padding_idx": Default(op.padding_idx, None), "max_norm": Default(op.max_norm, None), "norm_type": Default(norm_type, 2.0)}
