"""What the service answers, as records of the protocol."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from lsprotocol import types

from netc.dsl.diagnostics import Edit
from netc.dsl.source import Span

from ..service.diagnostics import EditorDiagnostic
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

    def to_range(self, span: Span) -> types.Range:
        """The range of a span in its file."""
        return self._positions(span.file.text).to_range(span)

    def to_location(self, span: Span) -> types.Location:
        """A span with the file that it is in, whose name is its real path."""
        return types.Location(self.uri(span.file.name), self.to_range(span))

    def to_diagnostic(self, shown: EditorDiagnostic) -> types.Diagnostic:
        """A diagnostic. Its code leads to the page of `netc explain`."""
        diagnostic = shown.diagnostic
        return types.Diagnostic(
            self.to_range(diagnostic.span),
            shown.text,
            SEVERITIES[diagnostic.severity],
            diagnostic.code,
            source="netc",
            tags=[types.DiagnosticTag.Unnecessary] if diagnostic.code.startswith("unused-") else None,
            related_information=[types.DiagnosticRelatedInformation(self.to_location(span), text) for span, text in shown.related] or None,
        )

    def to_workspace_edit(self, edits: Iterable[Edit]) -> types.WorkspaceEdit:
        """Changes of texts, by file."""
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            changes.setdefault(self.uri(edit.span.file.name), []).append(types.TextEdit(self.to_range(edit.span), edit.text))
        return types.WorkspaceEdit(changes)
