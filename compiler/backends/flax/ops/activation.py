"""Writes activations in Flax that other frameworks have under several names."""

from __future__ import annotations

from ....ops.activation import Gelu
from ...python.code.python_expressions import Code, Default, call_function
from ..flax_emitters import EMITTERS, FlaxSite


@EMITTERS.layer_function(Gelu, target="jax.nn.gelu")
def emit_gelu(op: Gelu, site: FlaxSite) -> Code:
    return call_function("nnx.gelu", site.x, approximate=Default(op.approximate == "tanh", True))
