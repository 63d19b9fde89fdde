"""Refuse derivatives that are not written out: ONNX has none, and ../../../derivatives writes them as stages."""

from __future__ import annotations

from ....ops.differentiation import Gradient
from ..onnx_emitters import Site, emits
from ..unsupported_in_onnx import UnsupportedInOnnx


@emits(Gradient, onnx="the stages of the derivative")
def emit_gradient(op: Gradient, site: Site) -> str:
    raise UnsupportedInOnnx(op.name, "ONNX has no derivatives")
