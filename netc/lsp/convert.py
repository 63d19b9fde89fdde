"""What the service answers, as records of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lsprotocol import types

from netc.dsl.diagnostics import Edit
from netc.dsl.source import Span

from ..service.diagnostics import Shown
from .lsp_positions import Positions

SEVERITIES = {
    "error": types.DiagnosticSeverity.Error,
    "warning": types.DiagnosticSeverity.Warning,
    "note": types.DiagnosticSeverity.Information,
}


class Converter:
    """Spans to ranges. `positions` are those of a text, `uri` is that of a real path."""

    def __init__(self, positions: Callable[[str], Positions], uri: Callable[[str], str]) -> None:
        self._positions, self.uri = positions, uri

    def range(self, span: Span) -> types.Range:
        """The range of a span in its file."""
        return self._positions(span.file.text).range(span)

    def location(self, span: Span) -> types.Location:
        """A span with the file that it is in, whose name is its real path."""
        return types.Location(self.uri(span.file.name), self.range(span))

    def diagnostic(self, shown: Shown) -> types.Diagnostic:
        """A diagnostic. Its code leads to the page of `netc explain`."""
        one = shown.diagnostic
        return types.Diagnostic(
            self.range(one.span),
            shown.text,
            SEVERITIES[one.severity],
            one.code,
            source="netc",
            tags=[types.DiagnosticTag.Unnecessary] if one.code.startswith("unused-") else None,
            related_information=[types.DiagnosticRelatedInformation(self.location(span), text) for span, text in shown.related] or None,
        )

    def edits(self, edits: Iterable[Edit]) -> types.WorkspaceEdit:
        """Changes of texts, by file."""
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            changes.setdefault(self.uri(edit.span.file.name), []).append(types.TextEdit(self.range(edit.span), edit.text))
        return types.WorkspaceEdit(changes)
