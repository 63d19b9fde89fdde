"""Writes layers with parameters in PyTorch, whose constructors take the arguments that all frameworks share: `nn.Linear(3, 8)`."""

from __future__ import annotations

from ....ops.activation import Prelu
from ....ops.convolution import Conv, ConvTranspose
from ....ops.dense import Bilinear, Dense, Embedding, EmbeddingBag
from ....ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, SpectralNormalize, Standardize
from ....ops.operator import Operator
from ....ops.recurrent_cell import GruCell, LstmCell, RnnCell
from ...python.code.python_expressions import Code, construct_module, to_code
from ...python.layer_arguments import collapse_sizes, list_layer_arguments
from ..torch_emitters import TorchSite, module
from ..torch_framework import make_dtype_keyword
from ..window_names import add_rank

_LAYERS: dict[type[Operator], str] = {
    Bilinear: "torch.nn.Bilinear",
    Dense: "torch.nn.Linear",
    Embedding: "torch.nn.Embedding",
    EmbeddingBag: "torch.nn.EmbeddingBag",
    GroupNorm: "torch.nn.GroupNorm",
    GruCell: "torch.nn.GRUCell",
    LayerNorm: "torch.nn.LayerNorm",
    LstmCell: "torch.nn.LSTMCell",
    Prelu: "torch.nn.PReLU",
    RMSNorm: "torch.nn.RMSNorm",
    RnnCell: "torch.nn.RNNCell",
}
_RANKED: dict[type[Operator], str] = {
    BatchNorm: "torch.nn.BatchNorm",
    Conv: "torch.nn.Conv",
    ConvTranspose: "torch.nn.ConvTranspose",
    InstanceNorm: "torch.nn.InstanceNorm",
}
"""Layers whose name has the number of spatial axes."""
_DEFINED = {
    SpectralNormalize: "torch.nn.utils.parametrizations.spectral_norm",
    Standardize: "a module with the buffers mean and std",
}
"""Layers that are definitions in the emitted file, with their names in documentation."""


def construct_layer(name: str, op: Operator, site: TorchSite, **others: object) -> Code:
    """Construct the layer of an operator. `others` are options of PyTorch alone, or in another form."""
    layer = list_layer_arguments(op, site.given)
    return construct_module(name, layer.sizes, **{**layer.options, **others}, dtype=make_dtype_keyword(layer.dtype))


@module(*_LAYERS, target=_LAYERS)
def emit_layer(op: Operator, site: TorchSite) -> Code:
    return construct_layer(_LAYERS[type(op)].removeprefix("torch."), op, site)


@module(*_RANKED, target={operator: ", ".join(f"{name}{axes}d" for axes in (1, 2, 3)) for operator, name in _RANKED.items()})
def emit_ranked_layer(op: Operator, site: TorchSite) -> Code:
    x = site.given.x
    name = add_rank(_RANKED[type(op)].removeprefix("torch."), x)
    if not isinstance(op, (Conv, ConvTranspose)):
        return construct_layer(name, op, site)
    taps = collapse_sizes(w.taps for w in op.make_windows(x))
    return construct_layer(name, op, site, kernel_size=to_code(taps, "kernel_size"))


@module(*_DEFINED, target=_DEFINED)
def emit_defined_layer(op: Operator, site: TorchSite) -> Code:
    return construct_layer(type(op).__name__, op, site)
