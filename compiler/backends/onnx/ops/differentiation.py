"""Refuse derivatives, which ONNX does not have."""

from __future__ import annotations

from ....ops.differentiation import Gradient
from ..onnx_emitters import Site, emits
from ..unsupported_in_onnx import UnsupportedInOnnx


@emits(Gradient, onnx="not supported")
def emit_gradient(op: Gradient, site: Site) -> str:
    raise UnsupportedInOnnx(op.name, "ONNX has no derivatives")
