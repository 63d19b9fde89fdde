"""Writes recurrent layers in PyTorch: modules that return the output and the states.

For example, `lstm 4` of `[5, 8]` becomes `nn.LSTM(8, 4, batch_first=True)`.
"""

from __future__ import annotations

from ....ops.operator import Operator
from ....ops.recurrent import Gru, Lstm, Recurrent, Rnn
from ...python.code.python_expressions import Code, Default, NestedResults, SelfMember, TupleCode, call_function, construct_module
from ..torch_emitters import TorchSite, invocation, module
from ..torch_framework import make_dtype_keyword
from .parameters import to_float

_MODULES: dict[type[Operator], str] = {Rnn: "torch.nn.RNN", Lstm: "torch.nn.LSTM", Gru: "torch.nn.GRU"}


@module(*_MODULES, target=_MODULES)
def emit_recurrent_module(op: Recurrent, site: TorchSite) -> Code:
    x = site.given.x
    nonlinearity = {"nonlinearity": Default(op.nonlinearity, "tanh")} if isinstance(op, Rnn) else {}
    return construct_module(
        _MODULES[type(op)].removeprefix("torch."),
        {"input_size": x.shape[-1], "hidden_size": op.hidden},
        num_layers=Default(op.layers, 1),
        **nonlinearity,
        bias=Default(op.bias, True),
        batch_first=True,
        dropout=Default(to_float(op.dropout), 0.0),
        bidirectional=Default(op.bidirectional, False),
        proj_size=Default(op.projection, 0),
        dtype=make_dtype_keyword(x.dtype),
    )


@invocation(Rnn, Lstm, Gru)
def emit_recurrent_call(op: Recurrent, site: TorchSite) -> Code:
    first = site.inputs[1:]
    # LSTM takes and returns its two states as a tuple; the others have a single state.
    results = call_function(SelfMember(), site.x, *(first if len(first) < 2 else (TupleCode(first),)))
    return NestedResults(results, (1, len(op.state_widths())))
