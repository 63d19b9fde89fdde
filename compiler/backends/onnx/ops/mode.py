"""Emits operators that depend on the mode, for evaluation."""

from __future__ import annotations

from ....ops.mode import ByMode
from ..onnx_emitters import Site, emits


@emits(ByMode, onnx="nothing")
def emit_by_mode(op: ByMode, site: Site) -> str:
    return site.evaluation.name
