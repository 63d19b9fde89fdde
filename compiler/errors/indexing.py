"""Errors of the operators that gather, scatter and select elements.

They specialize shared errors, with the help that fits these operators.

>>> import netc
>>> netc.compile("input [T] -> one_hot 4")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[needs-integer]: `one_hot` needs an integer tensor, found float32 [N, T]
 --> <text>:1:14
  |
1 | input [T] -> one_hot 4
  | ---------    ^^^^^^^
  | |
  | this is float32
  |
  = help: if these are indices, declare them as integers: `input [...] int64`
...
"""

from __future__ import annotations

from ..types.tensor_types import show_shape
from .arithmetic import OperandCount
from .operator_errors import NeedsInteger


class LongIndices(NeedsInteger):
    """`one_hot` of a type other than int64."""

    def format_message(self) -> str:
        return f"`{self.operator}` needs int64 indices, found {self.found.dtype} {show_shape(self.found.shape)}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert them with `-> cast int64`",)


class ScatterSource(OperandCount):
    """`scatter` with neither a source tensor nor `value`, or with both."""

    def format_message(self) -> str:
        return f"`{self.operator}` takes either a third tensor or `value`, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return (f"write `(x, index, src) -> {self.operator} 1` or `(x, index) -> {self.operator} 1 value=0`",)
