"""Warnings of the recurrent layers.

>>> import netc
>>> problem = netc.compile("input 8x4 -> lstm 16 dropout=0.5").diagnostics[0]
>>> print(problem.message)
`dropout` of `lstm` has no effect with a single layer
>>> print(problem.help[0])
apply it to the result with `-> dropout`, or use more `layers`
"""

from __future__ import annotations

from typing import ClassVar

from netc.dsl.diagnostics import Severity

from .problem import Problem


class DropoutWithoutEffect(Problem):
    """`dropout` of a recurrent layer with a single layer: PyTorch warns too."""

    code: ClassVar[str] = "dropout-without-effect"
    severity: ClassVar[Severity] = "warning"
    operator: str

    def format_message(self) -> str:
        return f"`dropout` of `{self.operator}` has no effect with a single layer"

    def format_notes(self) -> tuple[str, ...]:
        return ("it is applied between the layers",)

    def format_help(self) -> tuple[str, ...]:
        return ("apply it to the result with `-> dropout`, or use more `layers`",)
