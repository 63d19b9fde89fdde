"""Group diagnostics by file, as an editor shows them.

In: a checked text. Out: `EditorDiagnostic` records by the real path of their file; the text itself always has a list. Always: a problem
inside a file that the text uses is shown there, and also in the text, at the use that led to it.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "input 3 -> dens 4")
    >>> [(path, problem.diagnostic.code) for path, (problem,) in group_diagnostics(workspace.check_text("/a.net")).items()]
    [('/a.net', 'unknown-operator')]
"""

from __future__ import annotations

from netc.dsl.diagnostics import CallSite, Diagnostic
from netc.dsl.record import Record, replace
from netc.dsl.source import SourceFile, Span

from .checked_text import CheckedText

MAX_DIAGNOSTICS = 200
"""The largest number of diagnostics of one file."""


class EditorDiagnostic(Record):
    """A diagnostic, its text, and the related spans with their texts."""

    diagnostic: Diagnostic
    text: str
    related: tuple[tuple[Span, str], ...] = ()


def group_diagnostics(checked: CheckedText, more: tuple[Diagnostic, ...] = ()) -> dict[str, list[EditorDiagnostic]]:
    """Group the diagnostics by the path of the file that shows them."""
    by_path: dict[str, list[EditorDiagnostic]] = {checked.path: []}
    for diagnostic in checked.collect_diagnostics(more):
        _add_diagnostic(diagnostic, checked.source, by_path.setdefault(find_path(checked, diagnostic.span), []))
        if diagnostic.span.file is not checked.source:
            local = replace(
                diagnostic, span=_find_local_span(checked, diagnostic), edits=(), label="", trace=(CallSite(diagnostic.span, "here"),)
            )
            _add_diagnostic(local, checked.source, by_path[checked.path])
    return by_path


def _find_local_span(checked: CheckedText, diagnostic: Diagnostic) -> Span:
    """Find the span at which a text shows a problem in a file that it uses: the stage that led there, else the path of the `use`."""
    stage = next((site for site in reversed(diagnostic.trace) if site.span.file is checked.source), None)
    if stage is not None:
        return stage.span
    use = checked.find_use(diagnostic.span.file)
    return use.path.span if use is not None else Span(checked.source, 0, 0)


def find_path(checked: CheckedText, span: Span) -> str:
    """Return the real path of a span's file."""
    return checked.path if span.file is checked.source else span.file.name


def _add_diagnostic(diagnostic: Diagnostic, source: SourceFile, collected: list[EditorDiagnostic]) -> None:
    if len(collected) < MAX_DIAGNOSTICS:
        related = (*((mark.span, mark.text) for mark in diagnostic.marks), *((site.span, site.text) for site in diagnostic.trace))
        # A block that contains itself is used at one position many times, so duplicates are dropped.
        collected.append(EditorDiagnostic(diagnostic, format_message(diagnostic), tuple(dict.fromkeys(related))))


def format_message(diagnostic: Diagnostic) -> str:
    """Format the title, the label, the notes and the help."""
    parts = [diagnostic.message, diagnostic.label, *diagnostic.notes, *(f"help: {text}" for text in diagnostic.help)]
    return "\n".join(part for part in parts if part)
