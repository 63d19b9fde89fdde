"""Errors of the arithmetic operators.

The type rules of these operators raise them, for element types, numbers and shapes with which PyTorch could not compute, or computes
something surprising.

>>> import netc
>>> netc.compile("input 3 -> mul")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[operand-count]: `mul` takes either a second tensor or a number, found neither
 --> <text>:1:12
  |
1 | input 3 -> mul
  |            ^^^
  |
  = help: write `(a, b) -> mul` for two tensors, `a -> mul 2` for a number
...
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from ..dims import free_symbols
from ..types.tensor_types import BATCH, Shape, TensorType, show_shape
from .problem import Location, Problem, input_location


class NeedsNumber(Problem):
    """`neg` of a bool tensor."""

    code: ClassVar[str] = "needs-number"
    operator: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` needs a numeric tensor, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"this is {self.found.dtype}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast float32`, or negate it with `-> logical_not`",)


class OperandCount(Problem):
    """Neither a second tensor nor a number, or both. `found` completes "found ...": `both`, `neither`."""

    code: ClassVar[str] = "operand-count"
    operator: str
    found: str

    def format_message(self) -> str:
        return f"`{self.operator}` takes either a second tensor or a number, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (f"write `(a, b) -> {self.operator}` for two tensors, `a -> {self.operator} 2` for a number",)


class BadNumber(Problem):
    """A scalar operand that is invalid for the tensor operand. `needed` is a clause: `must not be 0`."""

    code: ClassVar[str] = "bad-argument"
    operator: str
    found: str
    needed: str
    suggestion: str = ""

    def format_message(self) -> str:
        return f"the scalar operand of `{self.operator}` {self.needed}, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class ScalarDoesNotFit(Problem):
    """A scalar that the tensor's element type cannot represent."""

    code: ClassVar[str] = "scalar-does-not-fit"
    operator: str
    scalar: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` cannot use {self.scalar} with {self.found.dtype} {show_shape(self.found.shape)}"

    def format_label(self) -> str:
        return f"{self.found.dtype} cannot represent {self.scalar}"

    def format_help(self) -> tuple[str, ...]:
        wider = "float32" if self.found.dtype.is_float else "int64"
        return (f"convert the tensor to a wider type first, for example with `-> cast {wider}`",)


class NumberConverted(Problem):
    """A scalar that is converted to the tensor's integer type and changes its value, as in PyTorch."""

    code: ClassVar[str] = "number-converted"
    severity: ClassVar[Severity] = "warning"
    operator: str
    written: str
    used: str
    found: TensorType

    def format_message(self) -> str:
        return f"`{self.operator}` with {self.found.dtype} {show_shape(self.found.shape)} converts {self.written} to {self.used}"

    def format_label(self) -> str:
        return f"{self.found.dtype} cannot represent {self.written}"

    def format_help(self) -> tuple[str, ...]:
        wider = "float32" if "." in self.written else "int64"
        return (f"to use {self.written} itself, convert the tensor first, for example with `-> cast {wider}`",)


class BatchBroadcast(Problem):
    """A broadcast that combines the elements of every sample with the elements of every other sample: `[N, 1] - [N]` is `[N, N]`."""

    code: ClassVar[str] = "batch-broadcast"
    severity: ClassVar[Severity] = "warning"
    error_in_training: ClassVar[bool] = True
    operator: str
    operands: tuple[Shape, ...]
    result: Shape

    def format_message(self) -> str:
        shapes = [show_shape(shape) for shape in self.operands]
        return f"`{self.operator}` of {', '.join(shapes[:-1])} and {shapes[-1]} is {show_shape(self.result)}: the batch is on two axes"

    def format_label(self) -> str:
        return "every sample is combined with every other"

    def list_marks(self) -> tuple[tuple[Location, str], ...]:
        return tuple((input_location(index), f"this is {show_shape(shape)}") for index, shape in enumerate(self.operands))

    def format_help(self) -> tuple[str, ...]:
        return (
            "give the operands the same axes, with `-> squeeze` or `-> unsqueeze`",
            "if all pairs are meant, write them out with `-> expand` before",
        )


class IndexOverBatch(Problem):
    """The index of the largest or smallest element among all samples of the batch together."""

    code: ClassVar[str] = "index-over-batch"
    severity: ClassVar[Severity] = "warning"
    error_in_training: ClassVar[bool] = True
    operator: str
    found: Shape

    def format_message(self) -> str:
        return f"`{self.operator}` without `axis` gives one index for the whole batch, {show_shape(self.found)}"

    def format_notes(self) -> tuple[str, ...]:
        return ("it counts the elements of all samples, so it depends on which samples are in the batch",)

    def format_help(self) -> tuple[str, ...]:
        if len(self.found) == 1:
            return (f"if the index of one element in the batch is meant, write `{self.operator} axis=0`",)
        # An index along an axis with the batch would again depend on the other samples.
        axis = next((axis for axis, size in enumerate(self.found) if BATCH not in free_symbols(size)), 1)
        each = f"for an index in each sample, give the axis: `{self.operator} axis={axis}`"
        return (each, f"if one index is meant, write `reshape [-1] -> {self.operator} axis=0`")
