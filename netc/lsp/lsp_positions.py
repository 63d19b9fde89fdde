"""Convert between offsets in a text and positions of the protocol.

In: a text. Out: lines as the protocol counts them (after `\\n`, `\\r\\n` or `\\r`), and columns in units of UTF-16, or in the client's
encoding. Always: any position has an offset; a position beyond its line means the end of that line.

>>> positions = Positions("a\\nb\\U0001f600c")
>>> positions.to_position(4).character, positions.to_offset(types.Position(1, 3))
(3, 4)
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from lsprotocol import types

from netc.dsl.source import Span

_BREAK = re.compile(r"\r\n|\n|\r")
Encoding = types.PositionEncodingKind | str


class Positions:
    """The positions in one text."""

    def __init__(self, text: str, encoding: Encoding = types.PositionEncodingKind.Utf16) -> None:
        self.text = text
        self._encoding = encoding

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *(match.end() for match in _BREAK.finditer(self.text))]

    @cached_property
    def _is_ascii(self) -> bool:
        return self.text.isascii()

    def to_position(self, offset: int) -> types.Position:
        """Convert an offset to a position."""
        offset = max(0, min(offset, len(self.text)))
        line = bisect_right(self._line_starts, offset) - 1
        return types.Position(line, self._count_units(self._line_starts[line], offset))

    def to_range(self, span: Span) -> types.Range:
        """Convert a span to a range."""
        return types.Range(self.to_position(span.start), self.to_position(span.end))

    def to_offset(self, position: types.Position) -> int:
        """Convert a position to an offset."""
        if position.line >= len(self._line_starts):
            return len(self.text)
        start = self._line_starts[position.line]
        end = self._line_starts[position.line + 1] if position.line + 1 < len(self._line_starts) else len(self.text)
        line = self.text[start:end].rstrip("\r\n")
        # In ASCII, a character is one unit in every encoding; most specs are ASCII, and this is asked for each hint.
        if self._is_ascii:
            return start + min(position.character, len(line))
        units = 0
        for index, character in enumerate(line):
            if units >= position.character:
                return start + index
            units += self._measure_width(character)
        return start + len(line)

    def _count_units(self, start: int, end: int) -> int:
        return end - start if self._is_ascii else sum(map(self._measure_width, self.text[start:end]))

    def _measure_width(self, character: str) -> int:
        match self._encoding:
            case types.PositionEncodingKind.Utf32:
                return 1
            case types.PositionEncodingKind.Utf8:
                return len(character.encode("utf-8", "surrogatepass"))
        return 2 if ord(character) > 0xFFFF else 1  # a surrogate pair in UTF-16
