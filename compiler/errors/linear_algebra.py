"""What linear algebra refuses, beyond what all operators do."""

from __future__ import annotations

from typing import ClassVar

from .base import Problem
from .operators import NeedsFloat


class BadEquation(Problem):
    """An equation of `einsum` that says nothing, or does not go with the tensors. `why` is a clause."""

    code: ClassVar[str] = "bad-equation"
    equation: str
    why: str
    suggestion: str = ""

    def message(self) -> str:
        return f"`{self.equation}` cannot be followed: {self.why}"

    def help(self) -> tuple[str, ...]:
        return (self.suggestion,) if self.suggestion else ()


class NarrowNumbers(NeedsFloat):
    """Integers that are added up before they are multiplied with others: narrower ones would be of two types."""

    def message(self) -> str:
        return f"`{self.operator}` needs floating-point or int64 tensors where one is summed alone, found {self.found}"

    def help(self) -> tuple[str, ...]:
        return ("convert it with `-> cast int64`",)
