"""Errors of targets: what a graph has and the target cannot express."""

from __future__ import annotations

from typing import ClassVar

from .problem import Problem


class SpecUnsupported(Problem):
    """Something in a graph that is not written as text yet. `what` is a noun: `a loop at run time`."""

    code: ClassVar[str] = "spec-unsupported"
    what: str

    def message(self) -> str:
        return f"{self.what} cannot be written as a spec"


class OnnxUnsupported(Problem):
    """A use of an operator that ONNX cannot express. `reason` is a clause: `its recurrence must start from a state`."""

    code: ClassVar[str] = "onnx-unsupported"
    operator: str
    reason: str

    def message(self) -> str:
        return f"`{self.operator}` cannot be exported to ONNX here: {self.reason}"
