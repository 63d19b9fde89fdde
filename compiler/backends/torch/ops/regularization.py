"""What changes training only, in PyTorch."""

from __future__ import annotations

from ....ops.regularization import AlphaDropout, ChannelDropout, Dropout, DropPath, Identity
from ..code import Code, Own, Ref, call, construct, method
from ..table import Site, function, invocation, module
from ..windows import ranked


@module(Identity)
def identity(op: Identity, site: Site) -> Code:
    return call("nn.Identity")


@function(Identity)
def identity_function(op: Identity, site: Site) -> Code:
    return Ref(0)


@module(Dropout)
def dropout(op: Dropout, site: Site) -> Code:
    return construct("nn.Dropout", {"p": op.p})


@module(ChannelDropout)
def channel_dropout(op: ChannelDropout, site: Site) -> Code:
    return construct(ranked("nn.Dropout", site.given[0]), {"p": op.p})


@module(AlphaDropout)
def alpha_dropout(op: AlphaDropout, site: Site) -> Code:
    return construct("nn.AlphaDropout", {"p": op.p})


# `nn.Dropout2d` drops whole channels of [N, C, H, W]. With an axis put before them, samples stand where it expects channels.


@module(DropPath)
def drop_path(op: DropPath, site: Site) -> Code:
    rank = site.given[0].rank
    return construct(f"nn.Dropout{rank - 1 if rank <= 4 else 1}d", {"p": op.p})


@invocation(DropPath)
def drop_path_invocation(op: DropPath, site: Site) -> Code:
    if site.given[0].rank <= 4:
        return method(call(Own(), method(Ref(0), "unsqueeze", 0)), "squeeze", 0)
    rows = call(Own(), method(method(Ref(0), "flatten", 1), "unsqueeze", 0))
    return method(method(rows, "squeeze", 0), "view_as", Ref(0))
