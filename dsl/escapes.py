r"""Escapes for characters that cannot be printed: control characters, marks of direction, separators, halves of surrogate pairs.

Terminals, pictures and the comments of emitted and imported texts use the same form, so that the name of a file or a string of a spec
cannot move the cursor, end a comment or change the reading direction.

    >>> print(escape_controls("a\x1b[2J"))
    a\u{1b}[2J
    >>> print(escape_controls("two\nlines", keep="\n"))
    two
    lines
"""

from __future__ import annotations


def escape_controls(text: str, keep: str = "") -> str:
    """The text with escapes for all characters that are not printable, except those in `keep`, such as newlines."""
    # Most texts have nothing to escape, so the common case is one call of `isprintable`.
    rest = text
    for character in keep:
        rest = rest.replace(character, "")
    if rest.isprintable():
        return text
    return "".join(c if c.isprintable() or c in keep else escape_character(c) for c in text)


def escape_character(character: str) -> str:
    r"""`\u{a}`, as strings of JavaScript and Rust write it."""
    return f"\\u{{{ord(character):x}}}"
