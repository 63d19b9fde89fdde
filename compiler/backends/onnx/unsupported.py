"""What ONNX cannot say: raised by emitters; whoever walks the graph adds the place, and whoever asked for it makes it a diagnostic."""

from __future__ import annotations

from netc.dsl.source import Span

from ...errors.onnx import OnnxUnsupported


class UnsupportedInOnnx(Exception):
    """Raised while an operator is written: `problem` says why, `span` is the stage, once it is known."""

    def __init__(self, operator: str, reason: str) -> None:
        self.problem = OnnxUnsupported(operator, reason)
        self.span: Span | None = None
        super().__init__(self.problem.message())
