"""Refuse losses of sequences, which ONNX does not have."""

from __future__ import annotations

from ....ops.sequence_loss import CtcLoss
from ..onnx_emitters import Site, emits
from ..unsupported_in_onnx import UnsupportedInOnnx


@emits(CtcLoss, onnx="not supported")
def emit_ctc_loss(op: CtcLoss, site: Site) -> str:
    raise UnsupportedInOnnx(op.name, "ONNX has no operator for it")
