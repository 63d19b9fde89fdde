r"""Escapes for characters that cannot be shown: control characters, marks of direction, separators, halves of surrogate pairs.

In: any text, such as a file's name or a string of a spec. Out: the text with `\u{1b}` for such a character. Terminals, pictures and the
comments of emitted and of imported texts all use this form. So a text cannot move the cursor, end a comment or change the reading
direction.
"""

from __future__ import annotations


def escape_controls(text: str, keep: str = "") -> str:
    """The text with escapes for all characters that are not printable, except those in `keep`, such as newlines."""
    rest = text
    for character in keep:
        rest = rest.replace(character, "")
    if rest.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else escape_character(c) for c in text)


def escape_character(character: str) -> str:
    r"""`\u{a}`, as strings of JavaScript and Rust write it."""
    return f"\\u{{{ord(character):x}}}"
