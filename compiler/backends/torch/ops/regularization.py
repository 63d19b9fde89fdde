"""Writes operators that draw random numbers in training, in PyTorch: `nn.Dropout(0.1)`."""

from __future__ import annotations

from ....ops.regularization import AlphaDropout, ChannelDropout, Detach, Dropout, DropPath, Identity, Rrelu
from ...python.code.python_expressions import Code, Default, call_function, call_method, construct_module
from ..torch_emitters import TorchSite, function, module
from ..window_names import add_rank


@module(Identity, target="torch.nn.Identity")
def emit_identity_module(op: Identity, site: TorchSite) -> Code:
    return call_function("nn.Identity")


@function(Identity)
def emit_identity_function(op: Identity, site: TorchSite) -> Code:
    return site.x


@function(Detach, target="torch.Tensor.detach")
def emit_detach(op: Detach, site: TorchSite) -> Code:
    return call_method(site.x, "detach")


# Only modules from here on: they follow `train()` and `eval()`, where a function would need `self.training` in each call.
@module(Dropout, target="torch.nn.Dropout")
def emit_dropout(op: Dropout, site: TorchSite) -> Code:
    return construct_module("nn.Dropout", {"p": op.p})


@module(ChannelDropout, target="torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d")
def emit_channel_dropout(op: ChannelDropout, site: TorchSite) -> Code:
    return construct_module(add_rank("nn.Dropout", site.given.x), {"p": op.p})


@module(AlphaDropout, target="torch.nn.AlphaDropout")
def emit_alpha_dropout(op: AlphaDropout, site: TorchSite) -> Code:
    return construct_module("nn.AlphaDropout", {"p": op.p})


@module(DropPath, target="torch.nn.functional.dropout")
def emit_drop_path(op: DropPath, site: TorchSite) -> Code:
    return construct_module("DropPath", {"p": op.p})


@module(Rrelu, target="torch.nn.RReLU")
def emit_rrelu(op: Rrelu, site: TorchSite) -> Code:
    return construct_module("nn.RReLU", {}, lower=Default(op.lower, 1 / 8), upper=Default(op.upper, 1 / 3))
