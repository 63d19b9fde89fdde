"""Writes pools of maxima in Flax, which has a definition of its own for windows with gaps."""

from __future__ import annotations

from ....ops.pooling import MaxPool
from ...python.array_ops.pooling import write_max_pool
from ...python.code.python_expressions import Code
from ..flax_emitters import EMITTERS, FlaxSite


@EMITTERS.layer_function(MaxPool, target="jax.lax.reduce_window")
def emit_max_pool(op: MaxPool, site: FlaxSite) -> Code:
    dilated = any(window.dilation != 1 for window in op.make_windows(site.given.x))
    return write_max_pool(op, site, "dilated_max_pool" if dilated else "max_pool")
