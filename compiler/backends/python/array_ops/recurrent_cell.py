"""Writes recurrent cells: modules that take their states, if any, after the input. Recurrent layers are written by their
definitions, as a `scan`."""

from __future__ import annotations

from ....ops.operator import Operator
from ....ops.recurrent_cell import GruCell, LstmCell, RecurrentCell, RnnCell
from ..code.python_expressions import Code, Default, ItemCode, SelfMember, call_function, construct_module, to_code
from .array_emitters import ARRAY, ArraySite

_MODULES: dict[type[Operator], str] = {RnnCell: "RNNCell", GruCell: "GRUCell", LstmCell: "LSTMCell"}


@ARRAY.module(*_MODULES, target=_MODULES)
def emit_cell_module(op: RecurrentCell, site: ArraySite) -> Code:
    x = site.given.x
    nonlinearity = {"nonlinearity": Default(op.nonlinearity, "tanh")} if isinstance(op, RnnCell) else {}
    sizes = {"input_size": x.shape[-1], "hidden_size": op.hidden}
    keywords = {"bias": Default(op.bias, True), **nonlinearity, "dtype": site.words.make_dtype_keyword(x.dtype)}
    return construct_module(_MODULES[type(op)], sizes, **keywords, **site.words.draws)


@ARRAY.invocation(LstmCell)
def emit_lstm_cell_call(op: LstmCell, site: ArraySite) -> Code:
    both = call_function(SelfMember(), *site.inputs)
    return ItemCode(both, (to_code(0),), 2) if len(site.results) == 1 else both
