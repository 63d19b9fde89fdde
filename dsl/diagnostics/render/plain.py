"""Diagnostics in order, as single lines and as JSON-able dictionaries.

>>> from ...parser import parse_source
>>> from ...source import SourceFile
>>> (error,) = to_json(parse_source(SourceFile("a.net", "x -> -> relu"))[1])
>>> error["message"], error["line"], error["column"]
('expected a stage after `->`, found `->`', 1, 6)
"""

from __future__ import annotations

from collections.abc import Iterable

from ...source import Span
from ..diagnostic import Diagnostic
from .cells import escape_text, shorten_text

Json = dict[str, object]


def sort_and_dedupe(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """In the order of files (by first occurrence) and positions; without duplicates that differ only in their chains of blocks."""
    files: dict[str, int] = {}
    kept: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    for diagnostic in diagnostics:
        files.setdefault(diagnostic.span.file.name, len(files))
        # A block that is used ten times repeats its mistakes ten times: the first use is kept.
        kept.setdefault(
            (diagnostic.span.file.name, diagnostic.span.start, diagnostic.span.end, diagnostic.code, diagnostic.message), diagnostic
        )
    return sorted(kept.values(), key=lambda d: (files[d.span.file.name], d.span.start, d.span.end, d.severity))


def format_summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`, or `no errors`, if there are only notes."""
    severities = [diagnostic.severity for diagnostic in diagnostics]
    counts = [(severities.count("error"), "error"), (severities.count("warning"), "warning")]
    return ", ".join(f"{n} {what}{'s' if n > 1 else ''}" for n, what in counts if n) or "no errors"


MAX_DIAGNOSTICS = 100
"""The most diagnostics that are printed."""


def select_important(diagnostics: Iterable[Diagnostic]) -> tuple[list[Diagnostic], str]:
    """Return the diagnostics to print, errors before others, in their order; and a line that counts the rest, if any."""
    known = list(diagnostics)
    if len(known) <= MAX_DIAGNOSTICS:
        return known, ""
    # Errors are chosen before warnings, and then printed in the order of the text again.
    chosen = sorted(sorted(range(len(known)), key=lambda i: known[i].severity != "error")[:MAX_DIAGNOSTICS])
    return [known[i] for i in chosen], f"{len(known) - MAX_DIAGNOSTICS} more diagnostics are not shown\n"


def render_short(diagnostics: Iterable[Diagnostic]) -> str:
    """`file:line:column: error[code]: message`, one per line; those that are too many are counted in a last line."""
    printed, rest = select_important(diagnostics)
    return "".join(f"{escape_text(format_position(d.span))}: {d.severity}[{d.code}]: {escape_text(d.message)}\n" for d in printed) + rest


def format_position(span: Span) -> str:
    line, column = span.file.line_and_column(span.start)
    return f"{span.file.name}:{line}:{column}"


def to_json(diagnostics: Iterable[Diagnostic]) -> list[Json]:
    """Plain values; lines and columns are numbered from 1, and an end is after the last character."""
    return [_diagnostic_to_json(diagnostic) for diagnostic in diagnostics]


def _diagnostic_to_json(diagnostic: Diagnostic) -> Json:
    return {
        "severity": diagnostic.severity,
        "code": diagnostic.code,
        "message": shorten_text(diagnostic.message),
        **_span_to_json(diagnostic.span),
        "label": shorten_text(diagnostic.label),
        "labels": [{**_span_to_json(mark.span), "text": shorten_text(mark.text)} for mark in diagnostic.marks],
        "notes": [shorten_text(text) for text in diagnostic.notes],
        "help": [shorten_text(text) for text in diagnostic.help],
        "edits": [{**_span_to_json(edit.span), "text": edit.text, "safe": edit.safe} for edit in diagnostic.edits],
        "trace": [{**_span_to_json(frame.span), "text": frame.text} for frame in diagnostic.trace],
    }


def _span_to_json(span: Span) -> Json:
    line, column = span.file.line_and_column(span.start)
    end_line, end_column = span.file.line_and_column(span.end)
    return {"file": span.file.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}
