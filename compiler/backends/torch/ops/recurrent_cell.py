"""Writes recurrent cells in PyTorch: modules that take their states, if any, after the input.

For example, `rnn_cell 4` of 3 numbers becomes `nn.RNNCell(3, 4)`.
"""

from __future__ import annotations

from ....ops.operator import Operator
from ....ops.recurrent_cell import GruCell, LstmCell, RecurrentCell, RnnCell
from ...python.code.python_expressions import Code, Default, Lit, SelfMember, Subscript, TupleCode, call_function, construct_module
from ..torch_emitters import TorchSite, invocation, module
from ..torch_framework import make_dtype_keyword

_MODULES: dict[type[Operator], str] = {
    RnnCell: "torch.nn.RNNCell",
    GruCell: "torch.nn.GRUCell",
    LstmCell: "torch.nn.LSTMCell",
}


@module(*_MODULES, target=_MODULES)
def emit_cell_module(op: RecurrentCell, site: TorchSite) -> Code:
    x = site.given.x
    nonlinearity = {"nonlinearity": Default(op.nonlinearity, "tanh")} if isinstance(op, RnnCell) else {}
    return construct_module(
        _MODULES[type(op)].removeprefix("torch."),
        {"input_size": x.shape[-1], "hidden_size": op.hidden},
        bias=Default(op.bias, True),
        **nonlinearity,
        dtype=make_dtype_keyword(x.dtype),
    )


@invocation(LstmCell)
def emit_lstm_cell_call(op: LstmCell, site: TorchSite) -> Code:
    """Write the call of an LSTM cell, whose two states are a tuple, both as input and as output."""
    states = site.inputs[1:]
    states_after = call_function(SelfMember(), site.x, *((TupleCode(states),) if states else ()))
    return Subscript(states_after, (Lit(0),)) if len(site.results) == 1 else states_after
