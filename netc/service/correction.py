"""A text with its errors corrected as their help says.

In: a text, its tree and its diagnostics. Out: a `Correction`. Always: the edits of one error are made together or not at all, and no two
overlap; an error without an edit stays, except that an operation whose operands do not fit is taken to give the first one: with sums,
products and the like this is right unless the mistake is there.
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic, Edit
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span
from netc.dsl.tree_walk import find_enclosing_nodes

_KEEPING = ("+", "-", "*", "/", "//", "%", "**")
"""The operations that give what their first operand is, but for broadcasting."""


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


def corrected(source: SourceFile, file: ast.File, diagnostics: Iterable[Diagnostic]) -> Correction | None:
    """None if no error of the text can be corrected."""
    made: list[Edit] = []
    for one in diagnostics:
        given = one.edits or _without_second(source, file, one.span)
        edits = sorted({(e.span.start, e.span.end, e.text): e for e in given}.values(), key=lambda e: e.span.start)
        if one.severity == "error" and all(e.span.file is source and not _overlaps(e, made) for e in edits):
            made = sorted([*made, *edits], key=lambda e: (e.span.start, e.span.end))
    text = source.text
    for edit in reversed(made):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return Correction(text, tuple(made)) if made else None


def _without_second(source: SourceFile, file: ast.File, symbol: Span) -> tuple[Edit, ...]:
    """The edit that leaves the first operand of the operation with this symbol."""
    if symbol.file is not source or symbol.text not in _KEEPING:
        return ()
    around = [node for node in find_enclosing_nodes(file, symbol.start) if isinstance(node, ast.TensorBinary) and node.op == symbol.text]
    found = (one for one in reversed(around) if one.left.span.end <= symbol.start and symbol.end <= one.right.span.start)
    return tuple([Edit(Span(source, symbol.start, one.span.end), "", safe=False) for one in found][:1])


def _overlaps(edit: Edit, made: Iterable[Edit]) -> bool:
    return any(edit.span.start <= other.span.end and other.span.start <= edit.span.end for other in made)
