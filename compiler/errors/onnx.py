"""What cannot be written in ONNX."""

from __future__ import annotations

from typing import ClassVar

from .base import Problem


class OnnxUnsupported(Problem):
    """An operator, used in a way that has no counterpart. `reason` is a clause: `its recurrence must start from a state`."""

    code: ClassVar[str] = "onnx-unsupported"
    operator: str
    reason: str

    def message(self) -> str:
        return f"`{self.operator}` cannot be written in ONNX here: {self.reason}"
