"""Patterns for names of parameters, as in `freeze "stem.*"`.

In: an argument of a setting. Out: its patterns, in the notation of `fnmatch`. Always: an argument that is no text in quotes is reported.

    >>> from netc.compiler.ir.training_program import SettingArgument
    >>> from netc.dsl.source import SourceFile, Span
    >>> span = Span(SourceFile("<text>", ""), 0, 0)
    >>> [pattern.text for pattern in read_patterns("freeze", SettingArgument("", ("stem.*", "*.bias"), span, span), [])]
    ['stem.*', '*.bias']
"""

from __future__ import annotations

from netc.compiler.errors.problem import Problem
from netc.compiler.errors.recipe_errors import WrongSetting
from netc.compiler.ir.training_program import SettingArgument, Word
from netc.dsl.record import Record
from netc.dsl.source import Span

EVERY_PARAMETER = "*"


class Pattern(Record):
    """A pattern for names of parameters, in the notation of `fnmatch`."""

    text: str
    span: Span


def read_patterns(what: str, argument: SettingArgument, problems: list[tuple[Problem, Span]]) -> tuple[Pattern, ...]:
    """Return the patterns of an argument of the setting `what`. An argument that is none is added to the problems."""
    values = argument.value if isinstance(argument.value, tuple) else (argument.value,)
    # a bare word is a str too
    if not all(isinstance(v, str) and not isinstance(v, Word) for v in values):
        problems.append((WrongSetting(what, "takes patterns of parameters' names in quotes", 'write `"stem.*"`'), argument.span))
        return ()
    return tuple(Pattern(value, argument.span) for value in values)
