"""Text of the spec in comments and docstrings of the emitted source.

In: any text: a file's name, the lines of a comment. Out: the same text for a position where Python reads no code. Always: what comes out
has no character that ends a comment or a docstring, sets the encoding of the file, or cannot be encoded; printable text stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.escapes import escape_character, escape_controls


def escape_comment(text: str) -> str:
    """A part of a one-line comment. Colons and equals signs are escaped too: `coding=...` in the first line sets the file's encoding."""
    return "".join(escape_character(c) if c in ":=" else c for c in escape_controls(text))


def escape_docstring(lines: Sequence[str]) -> list[str]:
    """The first lines of a docstring, right after its quotes. Lines that are split later could be split within an escape. What is not
    printable is escaped in the docstring's value too, which Python cannot hold with a surrogate in it."""
    safe = [escape_controls(line).replace("\\", "\\\\").replace('"""', r"\"\"\"") for line in lines]
    return ["\\" + line if not i and line.startswith('"') else line for i, line in enumerate(safe)]
