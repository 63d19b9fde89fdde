"""Errors of operators that plugins define.

A plugin's type rule raises `netc.plugins.Refused` with a sentence and perhaps advice. netc reports both as an error at the stage.

>>> RefusedByPlugin("`snake` divides by `a`", "write another number").format_message()
'`snake` divides by `a`'
"""

from __future__ import annotations

from typing import ClassVar

from .problem import Problem


class PluginMistake(TypeError):
    """A declaration or a result of a plugin's operator has another type than it must have. The text says which and what it must be."""


class RefusedByPlugin(Problem):
    """The operator's own rule refuses its inputs or arguments: `sentence` says why, `advice` what to write instead."""

    code: ClassVar[str] = "refused-by-plugin"
    sentence: str
    advice: str = ""

    def format_message(self) -> str:
        return self.sentence

    def format_help(self) -> tuple[str, ...]:
        return (self.advice,) if self.advice else ()
