"""Errors of `scan`: its states, and the number of its steps.

>>> import netc
>>> netc.compile("x = input [T, 4]; x -> scan (h = param [1, 4]) axis=1 { h = h + in }")  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[state-mismatch]: cannot prove that the state `h` keeps its type [1, 4]: after a step it is [N, 4]
 --> <text>:1:61
  |
1 | x = input [T, 4]; x -> scan (h = param [1, 4]) axis=1 { h = h + in }
  |                                  ------------               ^^^^^^ this is [N, 4]
  |                                  |
  |                                  it begins as [1, 4]
  |
  = help: let it begin with the whole shape: `-> expand [N, 4]`
...
"""

from __future__ import annotations

from typing import ClassVar

from ..dims import Dim, format_dim
from ..types.tensor_types import TensorType, show_shape
from .operator_errors import where_hint
from .problem import Problem


class StateNotSet(Problem):
    """A state that the body of a `scan` does not define anew."""

    code: ClassVar[str] = "state-not-set"
    name: str

    def format_message(self) -> str:
        return f"the body of `scan` must define its state `{self.name}`"

    def format_label(self) -> str:
        return "its value after a step is missing"

    def format_help(self) -> tuple[str, ...]:
        return (f"write `{self.name} = ...` in the body, outside of other braces; until there, `{self.name}` is the state before the step",)


class MayBeEmpty(Problem):
    """A `scan` over an axis whose size may be 0. Without a step, there is nothing to stack."""

    code: ClassVar[str] = "no-steps"
    length: Dim

    def format_message(self) -> str:
        return f"cannot prove that `scan` has at least one step: the axis has the size {format_dim(self.length)}"

    def format_help(self) -> tuple[str, ...]:
        return where_hint(f"{format_dim(self.length)} >= 1", "if this is always true")


class StateMismatch(Problem):
    """A state that has another type after a step than before."""

    code: ClassVar[str] = "state-mismatch"
    name: str
    before: TensorType
    after: TensorType
    proved: bool = True

    def format_message(self) -> str:
        if not self.proved:
            return f"cannot prove that the state `{self.name}` keeps its type {self.before}: after a step it is {self._format_after()}"
        return f"the state `{self.name}` begins as {self.before}, but after a step it is {self._format_after()}"

    def format_label(self) -> str:
        return f"this is {self._format_after()}"

    def _format_after(self) -> str:
        """Format the type after a step, with its element type where that differs, also float32, which is left out elsewhere."""
        shape = show_shape(self.after.shape)
        return str(self.after) if self.after.dtype == self.before.dtype else f"{self.after.dtype} {shape}"

    def format_help(self) -> tuple[str, ...]:
        before, after = self.before, self.after
        if before.dtype != after.dtype:
            return (f"convert one of them, for example with `-> cast {before.dtype}` in the body",)
        if before.rank == after.rank and all(b in (1, a) for b, a in zip(before.shape, after.shape, strict=True)):
            return (f"let it begin with the whole shape: `-> expand {show_shape(after.shape)}`",)
        return ()
