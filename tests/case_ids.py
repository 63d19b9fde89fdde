"""Ids of tests by what they test: a case keeps its id when another one is put before it.

In: the text of a case. Out: an id, short and on one line. Always: it follows from the text alone, and two texts have the same id only if
they are the same.
"""

from __future__ import annotations

from hashlib import sha256

LONGEST = 72
"""Longer texts are cut off, and get a few digits that make them unique."""


def case_id(text: str) -> str:
    """The text itself, or its beginning with digits that follow from all of it."""
    line = " ".join(text.split())
    if len(line) <= LONGEST and line == text:
        return line
    return f"{line[:LONGEST].rstrip()}~{digest(text)}"


def digest(text: str) -> str:
    """A few digits that follow from the text."""
    return sha256(text.encode()).hexdigest()[:6]
