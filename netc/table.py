"""Aligned columns of text: cells come in, lines go out, none wrapped and none with spaces at its end."""

from __future__ import annotations

from collections.abc import Sequence

GAP = "  "


def align(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """The header and the rows as lines. `right`: which columns are numbers."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return [GAP.join(_cell(*cell) for cell in zip(line, widths, right, strict=True)).rstrip() for line in lines]


def _cell(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
