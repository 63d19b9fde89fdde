"""The position of an option, for errors that no line of the spec is to blame for.

    >>> span = option_span("--set", "width", "64")
    >>> span.text, span.file.text
    ('width', '--set width=64')

The text is not the spec's, so that no edit and no caret of such an error is in the spec.
"""

from __future__ import annotations

from netc.dsl.source import SourceFile, Span

NAME = "<options>"


def option_span(option: str, name: str, value: str = "") -> Span:
    """The name in `--set name=value`, or what follows an option without a value: `--model name`."""
    start = len(option) + 1
    return Span(SourceFile(NAME, f"{option} {name}{f'={value}' if value else ''}"), start, start + len(name))
