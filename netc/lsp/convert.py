"""Convert the answers of the language service to records of the protocol.

>>> from netc.dsl.source import SourceFile
>>> from .lsp_positions import Positions
>>> converter = Converter(Positions, lambda path: f"file://{path}")
>>> converter.to_location(Span(SourceFile("/mlp.net", "input 3 -> relu"), 11, 15))
file:///mlp.net:0:11-0:15
"""

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
    """Converts spans to ranges. `positions` returns the positions of a text, `uri` the URI of a real path."""

    def __init__(self, positions: Callable[[str], Positions], uri: Callable[[str], str]) -> None:
        self._positions, self.uri = positions, uri

    def to_range(self, span: Span) -> types.Range:
        """Convert a span to a range in its file."""
        return self._positions(span.file.text).to_range(span)

    def to_location(self, span: Span) -> types.Location:
        """Convert a span to a location. The name of its file is its real path."""
        return types.Location(self.uri(span.file.name), self.to_range(span))

    def to_diagnostic(self, editor_diagnostic: EditorDiagnostic) -> types.Diagnostic:
        """Convert a diagnostic. Its code names the page of `netc explain`."""
        diagnostic = editor_diagnostic.diagnostic
        return types.Diagnostic(
            self.to_range(diagnostic.span),
            editor_diagnostic.text,
            SEVERITIES[diagnostic.severity],
            diagnostic.code,
            source="netc",
            tags=[types.DiagnosticTag.Unnecessary] if diagnostic.code.startswith("unused-") else None,  # editors fade these spans out
            related_information=[
                types.DiagnosticRelatedInformation(self.to_location(span), text) for span, text in editor_diagnostic.related
            ]
            or None,
        )

    def to_workspace_edit(self, edits: Iterable[Edit]) -> types.WorkspaceEdit:
        """Convert edits to the changes of each file."""
        changes: dict[str, list[types.TextEdit]] = {}
        for edit in edits:
            changes.setdefault(self.uri(edit.span.file.name), []).append(types.TextEdit(self.to_range(edit.span), edit.text))
        return types.WorkspaceEdit(changes)
