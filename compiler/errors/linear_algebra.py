"""Errors of matrix products and of `einsum`.

>>> import netc
>>> netc.compile('input 3x4 -> einsum "bij,bjk->bik"')  # doctest: +ELLIPSIS
Traceback (most recent call last):
netc.errors.CompileError: error[bad-equation]: invalid equation `bij,bjk->bik`: it names 2 tensors, but 1 tensor came in
 --> <text>:1:21
  |
1 | input 3x4 -> einsum "bij,bjk->bik"
  |                     ^^^^^^^^^^^^^^
...
"""

from __future__ import annotations

from typing import ClassVar

from .operator_errors import NeedsFloat
from .problem import Problem


class BadEquation(Problem):
    """An equation of `einsum` that is malformed, or does not match the tensors. `why` is a clause."""

    code: ClassVar[str] = "bad-equation"
    equation: str
    why: str
    suggestion: str = ""

    def format_message(self) -> str:
        return f"invalid equation `{self.equation}`: {self.why}"

    def format_help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class NarrowNumbers(NeedsFloat):
    """An integer operand that is summed before it is multiplied: the sum of a narrower type would be int64, unlike the other operand."""

    def format_message(self) -> str:
        return f"`{self.operator}` needs floating-point or int64 tensors where an operand is summed on its own, found {self.found}"

    def format_help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast int64`",)
