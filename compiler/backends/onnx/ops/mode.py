"""Emit operators that depend on the mode as they are in evaluation, since ONNX models only predict.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3 -> if training { dropout 0.5 } else { relu }").onnx().graph.node]
['Relu']
"""

from __future__ import annotations

from ....ops.mode import ByMode
from ..onnx_emitters import Site, emits


@emits(ByMode, onnx="nothing")
def emit_by_mode(op: ByMode, site: Site) -> str:
    return site.evaluation.name
