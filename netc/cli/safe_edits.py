"""Safe edits of diagnostics applied to the text of a spec.

In: a source and its diagnostics. Out: the new text. Always: only edits of that source that are safe, and no two that overlap.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl.diagnostics import Diagnostic
from netc.dsl.source import SourceFile


def fixed(source: SourceFile, diagnostics: Iterable[Diagnostic]) -> tuple[str, int]:
    """The text after the safe edits, and their number."""
    edits = {(e.span.start, e.span.end, e.text) for d in diagnostics for e in d.edits if e.safe and e.span.file.name == source.name}
    parts, at, count = [], 0, 0
    for start, end, new in sorted(edits):  # of two that overlap, the first: an edit of a whole stage makes those within it needless
        if start >= at:
            parts += [source.text[at:start], new]
            at, count = end, count + 1
    return "".join([*parts, source.text[at:]]), count
