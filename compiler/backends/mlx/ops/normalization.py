"""Writes normalizations over one axis in MLX by its own layers, which are fast kernels: `nn.LayerNorm(64)`."""

from __future__ import annotations

from ....ops.normalization import LayerNorm, RMSNorm
from ...python.array_ops.array_emitters import ArraySite
from ...python.array_ops.array_layers import emit_constant_layer
from ...python.code.python_expressions import Code, Default, construct_module
from ..mlx_emitters import MlxSite, module
from ..mlx_words import WORDS
from .dense import cast_module


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
