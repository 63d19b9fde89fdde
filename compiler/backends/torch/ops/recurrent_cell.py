"""Recurrent cells in PyTorch: modules that take their states, if any, behind the input."""

from __future__ import annotations

from ....ops.recurrent_cell import GruCell, LstmCell, RecurrentCell, RnnCell
from ..code import Code, Lit, Ref, SelfMember, Subscript, TupleCode, call, construct, dtype_keyword
from ..table import TorchSite, invocation, module


@module(RnnCell, GruCell, LstmCell)
def cell(op: RecurrentCell, site: TorchSite) -> Code:
    x = site.given[0]
    own = {"nonlinearity": (op.nonlinearity, "tanh")} if isinstance(op, RnnCell) else {}
    return construct(
        op.torch.replace("torch.", "", 1),
        {"input_size": x.shape[-1], "hidden_size": op.hidden},
        bias=(op.bias, True),
        **own,
        dtype=dtype_keyword(x.dtype),
    )


@invocation(LstmCell)
def lstm_cell_invocation(op: LstmCell, site: TorchSite) -> Code:
    """Its two states go in, and come out, as a tuple."""
    states = tuple(Ref(index) for index in range(1, len(site.given)))
    whole = call(SelfMember(), Ref(0), *((TupleCode(states),) if states else ()))
    return Subscript(whole, (Lit(0),)) if len(site.results) == 1 else whole
