"""A text with its errors corrected as their help says.

In: a text and its diagnostics. Out: a `Correction`. Always: the edits of one error are made together or not at all, and no two overlap;
an error without an edit stays.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl.diagnostics import Diagnostic, Edit
from netc.dsl.record import Record
from netc.dsl.source import SourceFile


class Correction(Record):
    """The corrected text, and the edits that make it, in order."""

    text: str
    edits: tuple[Edit, ...]

    def before(self, offset: int) -> int:
        """Where an offset of the corrected text is in the text before."""
        for edit in self.edits:
            if offset < edit.span.start + len(edit.text):
                return min(offset, edit.span.end)
            offset -= len(edit.text) - (edit.span.end - edit.span.start)
        return offset


def corrected(source: SourceFile, diagnostics: Iterable[Diagnostic]) -> Correction | None:
    """None if no error of the text has an edit."""
    made: list[Edit] = []
    for one in diagnostics:
        edits = sorted({(e.span.start, e.span.end, e.text): e for e in one.edits}.values(), key=lambda e: e.span.start)
        if one.severity == "error" and all(e.span.file is source and not _overlaps(e, made) for e in edits):
            made = sorted([*made, *edits], key=lambda e: (e.span.start, e.span.end))
    text = source.text
    for edit in reversed(made):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return Correction(text, tuple(made)) if made else None


def _overlaps(edit: Edit, made: Iterable[Edit]) -> bool:
    return any(edit.span.start <= other.span.end and other.span.start <= edit.span.end for other in made)
