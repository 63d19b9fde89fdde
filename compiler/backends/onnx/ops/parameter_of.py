"""Emit parameters of other stages as the initializers of these stages.

>>> import netc
>>> spec = "x = input [] int64; h = x -> embedding 10 4 as embed; h @ (embed.weight -> transpose 0 1)"
>>> model = netc.compile(spec).onnx()
>>> [node.op_type for node in model.graph.node], [tensor.name for tensor in model.graph.initializer]
(['Gather', 'Transpose', 'MatMul'], ['embed.weight'])
"""

from __future__ import annotations

from ....ops.parameter_of import ParameterOf
from ..onnx_emitters import Site, emits


@emits(ParameterOf, onnx="an initializer")
def emit_parameter_of(op: ParameterOf, site: Site) -> str:
    return site.parameter_of(op.path, op.parameter)
