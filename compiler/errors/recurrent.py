"""What is almost always a mistake with recurrent layers."""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .base import Problem


class DropoutWithoutEffect(Problem):
    """PyTorch takes it, with a warning."""

    code: ClassVar[str] = "dropout-without-effect"
    severity: ClassVar[Severity] = "warning"
    operator: str

    def message(self) -> str:
        return f"the dropout of `{self.operator}` is between its layers, and there is only one"

    def help(self) -> tuple[str, ...]:
        return ("drop what comes out with `-> dropout`, or make more `layers`",)
