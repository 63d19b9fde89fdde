"""Text of the spec in comments and docstrings of the emitted source.

In: any text: a file's name, the lines of a comment. Out: the same text for a position where Python reads no code. Always: what comes out
has no character that ends a comment or a docstring, sets the encoding of the file, or cannot be encoded; printable text stays as it is.
"""

from __future__ import annotations

import re
from collections.abc import Sequence


def in_comment(text: str) -> str:
    """A part of a one-line comment. Colons and equals signs are escaped too: `coding=...` in the first line sets the file's encoding."""
    return "".join(_escaped(c) if c in ":=" else c for c in printable(text))


def in_docstring(lines: Sequence[str]) -> list[str]:
    """The first lines of a docstring, right after its quotes. Lines that are split later could be split within an escape. What is not
    printable is escaped in the docstring's value too, which Python cannot hold with a surrogate in it."""
    safe = [printable(line).replace("\\", "\\\\").replace('"""', r"\"\"\"") for line in lines]
    return ["\\" + line if not i and line.startswith('"') else line for i, line in enumerate(safe)]


def printable(text: str) -> str:
    """With escapes for control characters, line separators, marks of direction and surrogates."""
    return text if text.isprintable() else re.sub(r"[^ -~]", lambda c: c.group() if c.group().isprintable() else _escaped(c.group()), text)


def _escaped(character: str) -> str:
    """`\\x0a`, `\\u2028` or `\\U000e0001`."""
    code = ord(character)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"
