"""Escapes text of the spec in comments and docstrings of the emitted source.

In: any text: a file name, the lines of a comment. Out: the same text for a position where Python reads no code. Always: the result has no
character that ends a comment or a docstring, sets the encoding of the file, or cannot be encoded. Printable text stays as it is.

>>> escape_comment("model.net")
'model.net'
"""

from __future__ import annotations

from collections.abc import Sequence

from netc.dsl.escapes import escape_character, escape_controls


def escape_comment(text: str) -> str:
    """Escape a part of a one-line comment, colons and equals signs too: `coding=...` in the first line sets the file's encoding."""
    return "".join(escape_character(c) if c in ":=" else c for c in escape_controls(text))


def escape_docstring(lines: Sequence[str]) -> list[str]:
    """Escape the first lines of a docstring, right after its quotes. Split lines before, not after: a later split could cut an escape in
    two. Characters that are not printable stay escaped in the docstring's value, because Python cannot hold a surrogate in it."""
    safe = [escape_controls(line).replace("\\", "\\\\").replace('"""', r"\"\"\"") for line in lines]
    # After `\"\"\"`, another quote would belong to the opening ones.
    return ["\\" + line if not i and line.startswith('"') else line for i, line in enumerate(safe)]
