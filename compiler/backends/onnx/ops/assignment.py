"""Refuse assignments, which ONNX does not have."""

from __future__ import annotations

from ....ops.assignment import Match
from ..onnx_emitters import Site, emits
from ..unsupported_in_onnx import UnsupportedInOnnx


@emits(Match, onnx="not supported")
def emit_match(op: Match, site: Site) -> str:
    raise UnsupportedInOnnx(op.name, "ONNX has no operator that assigns rows to columns")
