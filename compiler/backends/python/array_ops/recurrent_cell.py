"""Writes calls of recurrent cells, which take their states, if any, after the input. Recurrent layers are written by their definitions,
as a `scan`."""

from __future__ import annotations

from ....ops.recurrent_cell import LstmCell
from ..code.python_expressions import Code, ItemCode, SelfMember, call_function, to_code
from .array_emitters import ARRAY, ArraySite


@ARRAY.invocation(LstmCell)
def emit_lstm_cell_call(op: LstmCell, site: ArraySite) -> Code:
    both = call_function(SelfMember(), *site.inputs)
    return ItemCode(both, (to_code(0),), 2) if len(site.results) == 1 else both
