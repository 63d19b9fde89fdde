"""Writes dense layers, embeddings and normalizations in MLX by its own layers, which have the checkpoint's layouts: `nn.Linear(3, 8)`.

`nn.quantize` and other functions of MLX know these layers.
"""

from __future__ import annotations

from ....ops.dense import Dense, Embedding
from ....ops.normalization import LayerNorm, RMSNorm
from ....types.tensor_types import FLOAT32, DType
from ...python.array_ops.array_emitters import ArraySite
from ...python.array_ops.array_layers import emit_constant_layer
from ...python.array_ops.array_layers import emit_embedding as emit_padded_embedding
from ...python.code.python_expressions import Code, Default, call_function, construct_module, to_code
from ..mlx_emitters import MlxSite, module
from ..mlx_framework import get_mlx_dtype
from ..mlx_words import WORDS


def cast_module(code: Code, dtype: DType) -> Code:
    """Convert the parameters of a layer of MLX, which are float32."""
    return code if dtype == FLOAT32 else call_function("cast", code, to_code(get_mlx_dtype(dtype)))


@module(Dense, target="mlx.nn.Linear")
def emit_dense(op: Dense, site: MlxSite) -> Code:
    x = site.given.x
    sizes = {"in_features": x.shape[-1], "out_features": op.units}
    return cast_module(construct_module("nn.Linear", sizes, bias=Default(op.bias, True)), x.dtype)


@module(Embedding, target="mlx.nn.Embedding")
def emit_embedding(op: Embedding, site: MlxSite) -> Code:
    if op.padding_idx is not None or op.max_norm is not None:
        return emit_padded_embedding(op, ArraySite(site.node, site.given, site.results, WORDS))
    return cast_module(construct_module("nn.Embedding", {"num_embeddings": op.num, "embedding_dim": op.dim}), op.dtype)


@module(LayerNorm, target="mlx.nn.LayerNorm")
def emit_layer_norm(op: LayerNorm, site: MlxSite) -> Code:
    x = site.given.x
    shape = op.normalized_shape(x)
    if len(shape) > 1:
        return emit_constant_layer(op, ArraySite(site.node, site.given, site.results, WORDS))
    keywords = {"eps": Default(op.eps, 1e-5), "affine": Default(op.affine, True), "bias": Default(op.bias, True)}
    return cast_module(construct_module("nn.LayerNorm", {"features": shape[0]}, **keywords), x.dtype)


@module(RMSNorm, target="mlx.nn.RMSNorm")
def emit_rms_norm(op: RMSNorm, site: MlxSite) -> Code:
    x = site.given.x
    shape = op.normalized_shape(x)
    if len(shape) > 1 or not op.affine or op.eps is None:
        return emit_constant_layer(op, ArraySite(site.node, site.given, site.results, WORDS))
    return cast_module(construct_module("nn.RMSNorm", {"features": shape[0]}, eps=Default(op.eps, 1e-5)), x.dtype)
