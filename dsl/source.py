r"""Texts and positions in them.

A position is a character offset into a `SourceFile`. Lines and columns are computed only for output, here and nowhere else.

    >>> Span(SourceFile("a.net", "x = input 3\ny = x"), 12, 13)
    a.net:2:1
"""

from __future__ import annotations

from bisect import bisect_right
from functools import cached_property

from .record import Record


class SourceFile:
    """A named text. `name` is the name in messages: a path as the user wrote it, `<stdin>` or `<text>`."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        newline = self.text.find("\n")
        while newline >= 0:
            starts.append(newline + 1)
            newline = self.text.find("\n", newline + 1)
        return starts

    def line_and_column(self, offset: int) -> tuple[int, int]:
        """The line and the column of an offset, both counted from 1."""
        line = bisect_right(self._line_starts, offset) - 1
        # Editors and compilers count lines and columns from 1; the language server converts at its own border.
        return line + 1, offset - self._line_starts[line] + 1

    def line_text(self, number: int) -> str:
        """The text of line `number` (from 1), without its newline."""
        start = self._line_starts[number - 1]
        end = self.text.find("\n", start)
        return self.text[start : end if end >= 0 else len(self.text)].rstrip("\r")

    def __repr__(self) -> str:
        return f"SourceFile({self.name!r})"


class Span(Record):
    """The half-open range of offsets `[start, end)` in a file."""

    file: SourceFile
    start: int
    end: int

    def to(self, other: Span) -> Span:
        """The span from the start of this one to the end of `other`."""
        return Span(self.file, self.start, max(self.end, other.end))

    def shrink_to_start(self) -> Span:
        """The empty span where this one begins."""
        return Span(self.file, self.start, self.start)

    @property
    def text(self) -> str:
        return self.file.text[self.start : self.end]

    def __repr__(self) -> str:
        line, column = self.file.line_and_column(self.start)
        return f"{self.file.name}:{line}:{column}"
