"""Errors of writing a graph as a spec."""

from __future__ import annotations

from typing import ClassVar

from .problem import Problem


class SpecUnsupported(Problem):
    """Something in a graph that is not written as text yet. `what` is a noun: `a loop at run time`."""

    code: ClassVar[str] = "spec-unsupported"
    what: str

    def message(self) -> str:
        return f"{self.what} cannot be written as a spec"
