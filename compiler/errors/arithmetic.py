"""What arithmetic refuses, beyond what all operators do."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..ir.types import TensorType, show_shape
from .base import Problem


class NeedsNumber(Problem):
    """`neg` on truth values."""

    code: ClassVar[str] = "needs-number"
    operator: str
    found: TensorType

    def message(self) -> str:
        return f"`{self.operator}` needs a tensor of numbers, found {self.found.dtype} {show_shape(self.found.shape)}"

    def label(self) -> str:
        return f"this is {self.found.dtype}"

    def help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast float32`, or invert it with `-> logical_not` if that is meant",)


class OperandCount(Problem):
    """Neither a second tensor nor a number, or both. `found` completes "found ...": `both`, `neither`."""

    code: ClassVar[str] = "operand-count"
    operator: str
    found: str

    def message(self) -> str:
        return f"`{self.operator}` takes either a second tensor or a number, found {self.found}"

    def help(self) -> tuple[str, ...]:
        return (f"write `(a, b) -> {self.operator}` for two tensors, `a -> {self.operator} 2` for a number",)


class BadNumber(Problem):
    """A number beside a sign that does not go with the tensor on the other side. `needed` is a whole clause: `must not be 0`."""

    code: ClassVar[str] = "bad-argument"
    operator: str
    found: str
    needed: str
    suggestion: str = ""

    def message(self) -> str:
        return f"the number beside `{self.operator}` {self.needed}, found {self.found}"

    def help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class ScalarDoesNotFit(Problem):
    """A number that the tensor's element type cannot hold."""

    code: ClassVar[str] = "scalar-does-not-fit"
    operator: str
    scalar: str
    found: TensorType

    def message(self) -> str:
        return f"`{self.operator}` of {self.found.dtype} {show_shape(self.found.shape)} cannot take {self.scalar}"

    def label(self) -> str:
        return f"{self.found.dtype} does not hold {self.scalar}"

    def help(self) -> tuple[str, ...]:
        wider = "float32" if self.found.dtype.is_float else "int64"
        return (f"convert the tensor to a wider type before, as with `-> cast {wider}`",)


class NumberConverted(Problem):
    """A number that PyTorch makes another one of, so that the tensor's integer type can hold it."""

    code: ClassVar[str] = "number-converted"
    severity: ClassVar[Severity] = "warning"
    operator: str
    written: str
    taken: str
    found: TensorType

    def message(self) -> str:
        return f"`{self.operator}` of {self.found.dtype} {show_shape(self.found.shape)} takes {self.written} as {self.taken}"

    def label(self) -> str:
        return f"{self.found.dtype} does not hold {self.written}"

    def help(self) -> tuple[str, ...]:
        wider = "float32" if "." in self.written else "int64"
        return (f"if {self.written} is meant, convert the tensor before, as with `-> cast {wider}`",)
