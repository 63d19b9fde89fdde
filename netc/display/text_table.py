"""Align cells in columns of text. No line ends with spaces. Only `wrap_rows` wraps, and only the last column.

>>> align_columns(("stage", "parameters"), [("dense1", "1,024")], (False, True))
['stage   parameters', 'dense1       1,024']
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

GAP = "  "
MIN_LAST_COLUMN = 10
"""The least width of the last column, in columns, even if the other columns take all of the line."""


def align_columns(header: Sequence[str], rows: Sequence[Sequence[str]], right: Sequence[bool]) -> list[str]:
    """Return the header and the rows as lines. `right` says for each column whether it is aligned to the right, as numbers are."""
    lines = [header, *rows]
    widths = [max(len(line[column]) for line in lines) for column in range(len(header))]
    return [GAP.join(_pad_cell(*cell) for cell in zip(line, widths, right, strict=True)).rstrip() for line in lines]


def wrap_rows(rows: Sequence[tuple[str, ...]], width: int = 80) -> list[str]:
    """Return rows as lines of at most `width` columns: a long last cell continues below itself, in its own column."""
    gap = sum(max(len(row[i]) for row in rows) + len(GAP) for i in range(len(rows[0]) - 1))
    lines: list[str] = []
    for *front, last in rows:
        # `textwrap.wrap` returns no line at all for an empty text
        first, *rest = textwrap.wrap(last, max(width - gap, MIN_LAST_COLUMN), break_on_hyphens=False) or [""]
        widths = (max(len(row[i]) for row in rows) for i in range(len(front)))
        lines.append(GAP.join([*(_pad_cell(c, w, False) for c, w in zip(front, widths, strict=True)), first]).rstrip())
        lines += [" " * gap + line for line in rest]
    return lines


def truncate_line(line: str, width: int) -> str:
    """Return the line, cut to a width and ending in dots if it is longer."""
    return line if len(line) <= width else f"{line[: max(width - 3, 0)]}..."


def _pad_cell(text: str, width: int, right: bool) -> str:
    return text.rjust(width) if right else text.ljust(width)
