"""The comment above a definition: what hover and completion show of it. In: the span of a name. Out: its text in one paragraph."""

from __future__ import annotations

from netc.dsl.source import Span


def read_doc_comment(definition: Span) -> str:
    """The lines of comments directly above the line of a definition, as one paragraph."""
    lines = definition.file.text[: definition.start].split("\n")[:-1]
    result: list[str] = []
    for line in reversed(lines):
        if not line.lstrip().startswith("#"):
            break
        result.insert(0, line.strip().lstrip("#").strip())
    return " ".join(result)
