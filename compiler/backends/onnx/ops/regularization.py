"""Emit operators that draw random numbers in training. In evaluation they return their input.

The exception is `rrelu`, whose slope is the mean of its bounds.

>>> import netc
>>> [node.op_type for node in netc.compile("input 3 -> dropout 0.5 -> rrelu").onnx().graph.node]
['Less', 'Mul', 'Where']
"""

from __future__ import annotations

from ....ops.operator import Operator
from ....ops.regularization import AlphaDropout, ChannelDropout, Detach, Dropout, DropPath, Identity, Rrelu
from ..onnx_emitters import Site, emits


@emits(Identity, Detach, Dropout, ChannelDropout, AlphaDropout, DropPath, onnx="nothing")
def emit_identity(op: Operator, site: Site) -> str:
    return site.x.name


@emits(Rrelu, onnx="Less, Mul and Where")
def emit_rrelu(op: Rrelu, site: Site) -> str:
    x = site.x
    return x.less(0.0).choose(x * ((op.lower + op.upper) / 2), x).name
