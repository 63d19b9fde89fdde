"""Diagnostics in order, as single lines and as JSON-able dictionaries."""

from __future__ import annotations

from collections.abc import Iterable

from ...source import Span
from ..diagnostic import Diagnostic
from .cells import brief, safe

Json = dict[str, object]


def sort_and_dedupe(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """In the order of files (by first occurrence) and positions; without duplicates that differ only in their chains of blocks."""
    files: dict[str, int] = {}
    kept: dict[tuple[str, int, int, str, str], Diagnostic] = {}
    for one in diagnostics:
        files.setdefault(one.span.file.name, len(files))
        kept.setdefault((one.span.file.name, one.span.start, one.span.end, one.code, one.message), one)
    return sorted(kept.values(), key=lambda d: (files[d.span.file.name], d.span.start, d.span.end, d.severity))


def summary(diagnostics: Iterable[Diagnostic]) -> str:
    """`2 errors, 1 warning`, or `no errors`, if there are only notes."""
    severities = [one.severity for one in diagnostics]
    counts = [(severities.count("error"), "error"), (severities.count("warning"), "warning")]
    return ", ".join(f"{n} {what}{'s' if n > 1 else ''}" for n, what in counts if n) or "no errors"


MOST = 100
"""The most diagnostics that are printed."""


def most_important(diagnostics: Iterable[Diagnostic]) -> tuple[list[Diagnostic], str]:
    """Those that are printed: the first errors, then the first others, in their order; and a line that counts the rest, if any."""
    known = list(diagnostics)
    if len(known) <= MOST:
        return known, ""
    chosen = sorted(sorted(range(len(known)), key=lambda i: known[i].severity != "error")[:MOST])
    return [known[i] for i in chosen], f"{len(known) - MOST} more diagnostics are not shown\n"


def render_short(diagnostics: Iterable[Diagnostic]) -> str:
    """`file:line:column: error[code]: message`, one per line; those that are too many are counted in a last line."""
    shown, rest = most_important(diagnostics)
    return "".join(f"{safe(position(d.span))}: {d.severity}[{d.code}]: {safe(d.message)}\n" for d in shown) + rest


def position(span: Span) -> str:
    line, column = span.file.position(span.start)
    return f"{span.file.name}:{line}:{column}"


def to_json(diagnostics: Iterable[Diagnostic]) -> list[Json]:
    """Plain values; lines and columns are numbered from 1, and an end is after the last character."""
    return [_diagnostic(one) for one in diagnostics]


def _diagnostic(one: Diagnostic) -> Json:
    return {
        "severity": one.severity,
        "code": one.code,
        "message": brief(one.message),
        **_span(one.span),
        "label": brief(one.label),
        "labels": [{**_span(mark.span), "text": brief(mark.text)} for mark in one.marks],
        "notes": [brief(text) for text in one.notes],
        "help": [brief(text) for text in one.help],
        "edits": [{**_span(edit.span), "text": edit.text, "safe": edit.safe} for edit in one.edits],
        "trace": [{**_span(frame.span), "text": frame.text} for frame in one.trace],
    }


def _span(span: Span) -> Json:
    line, column = span.file.position(span.start)
    end_line, end_column = span.file.position(span.end)
    return {"file": span.file.name, "line": line, "column": column, "end_line": end_line, "end_column": end_column}
