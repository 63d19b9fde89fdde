"""Errors of the export to ONNX."""

from __future__ import annotations

from typing import ClassVar

from .problem import Problem


class OnnxUnsupported(Problem):
    """A use of an operator that ONNX cannot express. `reason` is a clause: `its recurrence must start from a state`."""

    code: ClassVar[str] = "onnx-unsupported"
    operator: str
    reason: str

    def message(self) -> str:
        return f"`{self.operator}` cannot be exported to ONNX here: {self.reason}"
