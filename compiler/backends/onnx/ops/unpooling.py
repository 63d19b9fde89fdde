"""The way back from pools in ONNX: elements are scattered over zeros. (MaxUnpool counts positions within the whole tensor.)"""

from __future__ import annotations

from ....ir.types import INT64
from ....ops.base import numel
from ....ops.unpooling import MaxUnpool
from ..expressions import TensorExpr
from ..table import Site, emits
from .shape import reshaped


@emits(MaxUnpool, onnx="Reshape and ScatterElements")
def max_unpool(op: MaxUnpool, site: Site) -> str:
    x, shape = site.given.x, site.results[0].shape
    flat = (*x.shape[:2], numel(x.shape[2:]))
    values, places = (reshaped(site, part.name, x.shape, flat) for part in (site.x, site.indices))
    whole = (*shape[:2], numel(shape[2:]))
    zero = TensorExpr(site, site.scalar(0.0, x.dtype), x.dtype)
    zeros = zero.op("Expand", TensorExpr(site, site.ints(whole), INT64))
    return reshaped(site, site.add("ScatterElements", [zeros.name, places, values], axis=2), whole, shape)
