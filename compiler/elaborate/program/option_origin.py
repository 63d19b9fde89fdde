"""Where an option is, for errors that no line of the spec is to blame for.

In: an option of the caller and its value. Out: a span in a text that is the option as the command line has it. Always: the text is not the
spec's, so that no edit and no caret of such an error is in the spec.
"""

from __future__ import annotations

from netc.dsl.source import SourceFile, Span

NAME = "<options>"


def option_span(option: str, name: str, value: str = "") -> Span:
    """The name in `--set name=value`, or what follows an option without a value: `--model name`."""
    start = len(option) + 1
    return Span(SourceFile(NAME, f"{option} {name}{f'={value}' if value else ''}"), start, start + len(name))
