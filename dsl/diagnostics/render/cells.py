r"""Text as a terminal shows it: which characters are safe to print, and how many columns each takes.

The result contains no control character, so a text cannot move the cursor, change colors or reverse the reading direction.

    >>> split_cells("a\tb")
    [('a', 1), ('   ', 3), ('b', 1)]
"""

from __future__ import annotations

from ...escapes import escape_character, escape_controls

TAB = 4


MAX_CHARACTERS = 1000
"""The most characters that are shown of a text."""


def shorten_text(text: str) -> str:
    """`text`, or both ends of it if it is longer than a screen shows."""
    return (
        text
        if len(text) <= MAX_CHARACTERS
        else f"{text[: MAX_CHARACTERS // 2]} ...({len(text) - MAX_CHARACTERS} characters)... {text[-MAX_CHARACTERS // 2 :]}"
    )


def escape_text(text: str) -> str:
    """`text` on one line, no longer than a screen, with what cannot be shown written as `\\u{1b}`."""
    return escape_controls(shorten_text(text).expandtabs(TAB))


def split_cells(text: str) -> list[tuple[str, int]]:
    """For each character what to print and its width in columns."""
    if text.isascii() and text.isprintable():
        return [(character, 1) for character in text]
    result: list[tuple[str, int]] = []
    column = 0
    for character in text:
        cell = _character_cell(character, column)
        result.append(cell)
        column += cell[1]
    return result


def _character_cell(character: str, column: int) -> tuple[str, int]:
    if " " <= character <= "~":
        return character, 1
    if character == "\t":
        width = TAB - column % TAB
        return " " * width, width
    if not character.isprintable():
        escape = escape_character(character)
        return escape, len(escape)
    # A late import: ASCII needs none of its tables.
    import unicodedata

    # Accents combine with the character before them, and take no column.
    if unicodedata.category(character) in ("Mn", "Me"):
        return character, 0
    return character, 2 if unicodedata.east_asian_width(character) in "WF" else 1
