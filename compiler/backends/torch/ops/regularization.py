"""Operators that act in training only, in PyTorch."""

from __future__ import annotations

from ....ops.regularization import AlphaDropout, ChannelDropout, Dropout, DropPath, Identity
from ...python.code.expressions import Code, call, construct, lit, method
from ...python.code.tree import NameCode
from ..table import TorchSite, alone, function, module
from ..windows import ranked


@module(Identity, torch="torch.nn.Identity")
def identity(op: Identity, site: TorchSite) -> Code:
    return call("nn.Identity")


@function(Identity)
def identity_function(op: Identity, site: TorchSite) -> Code:
    return site.x


@module(Dropout, torch="torch.nn.Dropout")
def dropout(op: Dropout, site: TorchSite) -> Code:
    return construct("nn.Dropout", {"p": op.p})


@module(ChannelDropout, torch="torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d")
def channel_dropout(op: ChannelDropout, site: TorchSite) -> Code:
    return construct(ranked("nn.Dropout", site.given.x), {"p": op.p})


@module(AlphaDropout, torch="torch.nn.AlphaDropout")
def alpha_dropout(op: AlphaDropout, site: TorchSite) -> Code:
    return construct("nn.AlphaDropout", {"p": op.p})


# `F.dropout2d` drops whole channels of [N, C, H, W]. With an axis added in front, samples are where it expects channels.


@alone(DropPath)
@function(DropPath, torch="torch.nn.Dropout1d, torch.nn.Dropout2d, torch.nn.Dropout3d")
def drop_path(op: DropPath, site: TorchSite) -> Code:
    rank = site.given.x.rank
    if rank <= 4:
        return method(_samples(rank - 1, method(site.x, "unsqueeze", 0), op), "squeeze", 0)
    rows = _samples(1, method(method(site.x, "flatten", 1), "unsqueeze", 0), op)
    return method(method(rows, "squeeze", 0), "view_as", site.x)


def _samples(rank: int, x: Code, op: DropPath) -> Code:
    return call(f"F.dropout{rank}d", x, lit(op.p, "p"), NameCode("self.training"))
