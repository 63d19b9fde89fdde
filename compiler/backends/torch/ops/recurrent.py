"""Recurrent layers in PyTorch: modules, whose states come beside the output."""

from __future__ import annotations

from ....ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ..code import Code, Lit, NestedResults, Ref, SelfMember, Subscript, TupleCode, call, construct, dtype_keyword
from ..table import TorchSite, invocation, module


@module(Rnn, Lstm, Gru)
def recurrent(op: Recurrent, site: TorchSite) -> Code:
    x = site.given[0]
    own = {"nonlinearity": (op.nonlinearity, "tanh")} if isinstance(op, Rnn) else {}
    return construct(
        op.torch.replace("torch.", "", 1),
        {"input_size": x.shape[-1], "hidden_size": op.hidden},
        num_layers=(op.layers, 1),
        **own,
        bias=(op.bias, True),
        batch_first=True,
        dropout=(float(op.dropout), 0.0),
        bidirectional=(op.bidirectional, False),
        proj_size=(op.projection, 0),
        dtype=dtype_keyword(x.dtype),
    )


@invocation(Rnn, Lstm, Gru)
def recurrent_invocation(op: Recurrent, site: TorchSite) -> Code:
    first = tuple(Ref(index) for index in range(1, len(site.given)))
    whole = call(SelfMember(), Ref(0), *(first if len(first) < 2 else (TupleCode(first),)))
    if len(site.results) == 1:
        return Subscript(whole, (Lit(0),))
    return NestedResults(whole, (1, len(op.widths())))
