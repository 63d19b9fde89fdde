"""Operators that draw at random in training, in PyTorch."""

from __future__ import annotations

from ....ops.regularization import AlphaDropout, ChannelDropout, Detach, Dropout, DropPath, Identity, Rrelu
from ...python.code.python_expressions import Code, call, construct, method
from ..torch_emitters import TorchSite, function, module
from ..window_names import ranked


@module(Identity, torch="torch.nn.Identity")
def identity(op: Identity, site: TorchSite) -> Code:
    return call("nn.Identity")


@function(Identity)
def identity_function(op: Identity, site: TorchSite) -> Code:
    return site.x


@function(Detach, torch="torch.Tensor.detach")
def detach(op: Detach, site: TorchSite) -> Code:
    return method(site.x, "detach")


@module(Dropout, torch="torch.nn.Dropout")
def dropout(op: Dropout, site: TorchSite) -> Code:
    return construct("nn.Dropout", {"p": op.p})


@module(ChannelDropout, torch="torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d")
def channel_dropout(op: ChannelDropout, site: TorchSite) -> Code:
    return construct(ranked("nn.Dropout", site.given.x), {"p": op.p})


@module(AlphaDropout, torch="torch.nn.AlphaDropout")
def alpha_dropout(op: AlphaDropout, site: TorchSite) -> Code:
    return construct("nn.AlphaDropout", {"p": op.p})


@module(DropPath, torch="torch.nn.functional.dropout")
def drop_path(op: DropPath, site: TorchSite) -> Code:
    return construct("DropPath", {"p": op.p})


@module(Rrelu, torch="torch.nn.RReLU")
def rrelu(op: Rrelu, site: TorchSite) -> Code:
    return construct("nn.RReLU", {}, lower=(op.lower, 1 / 8), upper=(op.upper, 1 / 3))
