"""The errors for operators that ONNX cannot express. Emitters raise them, the walk over the graph adds the stage, and the caller makes a
diagnostic."""

from __future__ import annotations

from ...errors.target_errors import OnnxUnsupported, UnsupportedByTarget


class NotInOpset(Exception):
    """The opset has no such operator. `str()` is a clause."""


class UnsupportedInOnnx(UnsupportedByTarget):
    """Raised while an operator is written."""

    def __init__(self, operator: str, reason: str) -> None:
        super().__init__(OnnxUnsupported(operator, reason))
