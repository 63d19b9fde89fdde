"""Writes calls of recurrent cells in PyTorch, which take their states, if any, after the input."""

from __future__ import annotations

from ....ops.recurrent_cell import LstmCell
from ...python.code.python_expressions import Code, Lit, SelfMember, Subscript, TupleCode, call_function
from ..torch_emitters import TorchSite, invocation


@invocation(LstmCell)
def emit_lstm_cell_call(op: LstmCell, site: TorchSite) -> Code:
    """Write the call of an LSTM cell, whose two states are a tuple, both as input and as output."""
    states = site.inputs[1:]
    states_after = call_function(SelfMember(), site.x, *((TupleCode(states),) if states else ()))
    return Subscript(states_after, (Lit(0),)) if len(site.results) == 1 else states_after
