"""Writes layers with parameters, whose constructors take the arguments that all frameworks share: `Linear(3, 8, rngs=rngs)`."""

from __future__ import annotations

from ....ops.activation import Prelu
from ....ops.convolution import Conv, ConvTranspose
from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ....ops.multihead import MultiheadAttention
from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, SpectralNormalize, Standardize
from ....ops.operator import Operator
from ....ops.recurrent_cell import GruCell, LstmCell, RnnCell
from ..code.python_expressions import Code, construct_module
from ..layer_arguments import list_layer_arguments
from ..lowering.lowered_operators import CausalMultiheadAttention
from .array_emitters import ARRAY, ArraySite

_DRAWN: dict[type[Operator], str] = {
    Bilinear: "Bilinear",
    CausalMultiheadAttention: "MultiheadAttention",
    Conv: "Conv",
    ConvTranspose: "ConvTranspose",
    Dense: "Linear",
    EmbeddingBag: "EmbeddingBag",
    GruCell: "GRUCell",
    LstmCell: "LSTMCell",
    MultiheadAttention: "MultiheadAttention",
    RnnCell: "RNNCell",
    SpectralNormalize: "SpectralNormalize",
}
"""Layers whose constructors draw random numbers."""
_CONSTANT: dict[type[Operator], str] = {
    BatchNorm: "BatchNorm",
    GroupNorm: "GroupNorm",
    InstanceNorm: "InstanceNorm",
    LayerNorm: "LayerNorm",
    Prelu: "PReLU",
    RMSNorm: "RMSNorm",
    Standardize: "Standardize",
}
_TARGETS: dict[type[Operator], str] = {
    BatchNorm: "BatchNorm, with running statistics",
    Bilinear: "{array}.einsum",
    CausalMultiheadAttention: "MultiheadAttention, with the parameters of the checkpoint",
    Conv: "{array}.conv_general",
    ConvTranspose: "{array}.conv_general",
    Dense: "Linear, with the weight [out, in]",
    EmbeddingBag: "{array}.take",
    GroupNorm: "{array}.rsqrt",
    InstanceNorm: "{array}.rsqrt",
    LayerNorm: "LayerNorm, with the weight of the checkpoint",
    MultiheadAttention: "MultiheadAttention, with the parameters of the checkpoint",
    Prelu: "PReLU, with the weight of the checkpoint",
    RMSNorm: "RMSNorm, with the weight of the checkpoint",
    SpectralNormalize: "a module with the buffers _u and _v",
    Standardize: "a module with the buffers mean and std",
}
"""The names of layers in documentation, where they are not the definitions' names."""


def construct_layer(name: str, op: Operator, site: ArraySite, **draws: Code) -> Code:
    """Construct the layer of an operator."""
    layer = list_layer_arguments(op, site.given)
    return construct_module(name, layer.sizes, **layer.options, dtype=site.words.make_dtype_keyword(layer.dtype), **draws)


@ARRAY.module(*_DRAWN, target=_DRAWN | _TARGETS)
def emit_drawn_layer(op: Operator, site: ArraySite) -> Code:
    return construct_layer(_DRAWN[type(op)], op, site, **site.words.draws)


@ARRAY.module(*_CONSTANT, target=_CONSTANT | _TARGETS)
def emit_constant_layer(op: Operator, site: ArraySite) -> Code:
    return construct_layer(_CONSTANT[type(op)], op, site)


@ARRAY.module(Embedding, target="Embedding, with the weight of the checkpoint")
def emit_embedding(op: Embedding, site: ArraySite) -> Code:
    """Write the short definition for embeddings without options."""
    name = "Embedding" if op.padding_idx is None and op.max_norm is None else "PaddedEmbedding"
    return construct_layer(name, op, site, **site.words.draws)
