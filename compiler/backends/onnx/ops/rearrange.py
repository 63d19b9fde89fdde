"""Emit `rearrange` as Reshape, Transpose and Reshape, or as fewer nodes where these suffice.

>>> import netc
>>> spec = 'input [4, 6] -> rearrange "n a (b c) -> n b (a c)" b=2'
>>> [node.op_type for node in netc.compile(spec).onnx().graph.node]
['Reshape', 'Transpose', 'Reshape']
"""

from __future__ import annotations

from ....ops.rearrange import Rearrange
from ..onnx_emitters import Site, emits
from .shape import reshape_tensor, transpose_tensor


@emits(Rearrange, onnx="Reshape, Transpose, Reshape")
def emit_rearrange(op: Rearrange, site: Site) -> str:
    plan = op.make_plan(site.given)
    tensor, shape = site.x.name, site.given.x.shape
    if plan.split is not None:
        tensor = reshape_tensor(site, tensor, shape, plan.split)
        shape = plan.split
    if plan.order is not None:
        tensor = transpose_tensor(site, tensor, plan.order)
        shape = tuple(shape[axis] for axis in plan.order)
    return tensor if plan.merge is None else reshape_tensor(site, tensor, shape, plan.merge)
