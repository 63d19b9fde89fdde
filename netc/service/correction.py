"""Correct the errors of a text with the edits that their help suggests.

In: a text, its tree and its diagnostics. Out: a `Correction`. Always: the edits of one error are applied together or not at all, and edits
never overlap. An error without an edit stays, with one exception: if the operands of an operation such as a sum do not fit, the second one
is dropped, because the result usually has the shape of the first.

    >>> from netc.analysis import Choice, analyze
    >>> from netc.dsl.parser import parse_source
    >>> source = SourceFile("a.net", "input 3 -> dropout 0,5 -> dense 2")
    >>> correct_text(source, parse_source(source)[0], analyze(source, Choice()).diagnostics).text
    'input 3 -> dropout 0.5 -> dense 2'
"""

from __future__ import annotations

from collections.abc import Iterable

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic, Edit
from netc.dsl.record import Record
from netc.dsl.source import SourceFile, Span
from netc.dsl.tree_walk import find_enclosing_nodes

_KEEPING = ("+", "-", "*", "/", "//", "%", "**")
"""The operations whose result has the shape of their first operand, except for broadcasting."""


class Correction(Record):
    """The corrected text, and the edits that make it, in order."""

    text: str
    edits: tuple[Edit, ...]

    def map_offset(self, offset: int) -> int:
        """Map an offset of the corrected text to the original text."""
        for edit in self.edits:
            if offset < edit.span.start + len(edit.text):
                return min(offset, edit.span.end)
            offset -= len(edit.text) - (edit.span.end - edit.span.start)
        return offset


def correct_text(source: SourceFile, file: ast.File, diagnostics: Iterable[Diagnostic]) -> Correction | None:
    """Correct a text; return None if none of its errors can be corrected."""
    edits_made: list[Edit] = []
    for diagnostic in diagnostics:
        suggested = diagnostic.edits or _drop_second_operand(source, file, diagnostic.span)
        edits = sorted({(e.span.start, e.span.end, e.text): e for e in suggested}.values(), key=lambda e: e.span.start)
        if diagnostic.severity == "error" and all(e.span.file is source and not _is_overlapping(e, edits_made) for e in edits):
            edits_made = sorted([*edits_made, *edits], key=lambda e: (e.span.start, e.span.end))
    text = source.text
    # From the end, so that the offsets of the other edits stay valid.
    for edit in reversed(edits_made):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return Correction(text, tuple(edits_made)) if edits_made else None


def _drop_second_operand(source: SourceFile, file: ast.File, symbol: Span) -> tuple[Edit, ...]:
    """Return the edit that keeps only the first operand of the operation with this symbol."""
    if symbol.file is not source or symbol.text not in _KEEPING:
        return ()
    operations = [
        node for node in find_enclosing_nodes(file, symbol.start) if isinstance(node, ast.TensorBinary) and node.op == symbol.text
    ]
    matches = (
        operation
        for operation in reversed(operations)
        if operation.left.span.end <= symbol.start and symbol.end <= operation.right.span.start
    )
    # `a + b + c` has two operations with the same symbol around it: the innermost one comes first.
    return tuple([Edit(Span(source, symbol.start, operation.span.end), "") for operation in matches][:1])


def _is_overlapping(edit: Edit, others: Iterable[Edit]) -> bool:
    return any(edit.span.start <= other.span.end and other.span.start <= edit.span.end for other in others)
