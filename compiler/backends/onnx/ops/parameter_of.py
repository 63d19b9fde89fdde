"""Emit parameters of other stages as the initializers of these stages."""

from __future__ import annotations

from ....ops.parameter_of import ParameterOf
from ..onnx_emitters import Site, emits


@emits(ParameterOf, onnx="an initializer")
def emit_parameter_of(op: ParameterOf, site: Site) -> str:
    return site.parameter_of(op.path, op.parameter)
