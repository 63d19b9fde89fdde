"""Text as a terminal shows it: which characters are safe to print, and how many columns each takes.

Always: the result contains no control character, so a text cannot move the cursor, change colours or reverse the reading direction.
"""

from __future__ import annotations

from ...escapes import escape_character, escape_controls

TAB = 4


MOST = 1000
"""The most characters that are shown of a text."""


def brief(text: str) -> str:
    """`text`, or both ends of it if it is longer than a screen shows."""
    return text if len(text) <= MOST else f"{text[: MOST // 2]} ...({len(text) - MOST} characters)... {text[-MOST // 2 :]}"


def safe(text: str) -> str:
    """`text` on one line, no longer than a screen, with what cannot be shown written as `\\u{1b}`."""
    return escape_controls(brief(text).expandtabs(TAB))


def cells(text: str) -> list[tuple[str, int]]:
    """For each character what to print and its width in columns."""
    if text.isascii() and text.isprintable():
        return [(character, 1) for character in text]
    made: list[tuple[str, int]] = []
    column = 0
    for character in text:
        cell = _cell(character, column)
        made.append(cell)
        column += cell[1]
    return made


def _cell(character: str, column: int) -> tuple[str, int]:
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        width = TAB - column % TAB
        return " " * width, width
    if not character.isprintable():
        shown = escape_character(character)
        return shown, len(shown)
    import unicodedata

    if unicodedata.category(character) in ("Mn", "Me"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1
