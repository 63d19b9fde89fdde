"""`rearrange` in ONNX: Reshape, Transpose, Reshape, as few of them as do."""

from __future__ import annotations

from ....ops.rearrange import Rearrange
from ..onnx_emitters import Site, emits
from .shape import reordered, reshaped


@emits(Rearrange, onnx="Reshape, Transpose, Reshape")
def rearrange(op: Rearrange, site: Site) -> str:
    plan = op.plan(site.given)
    tensor, shape = site.x.name, site.given.x.shape
    if plan.split is not None:
        tensor = reshaped(site, tensor, shape, plan.split)
        shape = plan.split
    if plan.order is not None:
        tensor = reordered(site, tensor, plan.order)
        shape = tuple(shape[axis] for axis in plan.order)
    return tensor if plan.merge is None else reshaped(site, tensor, shape, plan.merge)
