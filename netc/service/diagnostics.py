"""Diagnostics as an editor shows them: for each file, those that are in it.

In: a checked text. Out: `Shown` records by the real path of the file they are in; the text itself always has a list. Always: a problem
inside a file that the text uses is shown there, and in the text at the use that led to it.
"""

from __future__ import annotations

from netc.dsl.diagnostics import CallSite, Diagnostic
from netc.dsl.record import Record, replace
from netc.dsl.source import SourceFile, Span

from .checked_text import Checked

MOST = 200
"""The diagnostics of one file."""


class Shown(Record):
    """A diagnostic, the text that is shown for it, and the positions that belong to it."""

    diagnostic: Diagnostic
    text: str
    related: tuple[tuple[Span, str], ...] = ()


def diagnostics(checked: Checked, more: tuple[Diagnostic, ...] = ()) -> dict[str, list[Shown]]:
    """What is shown, by the path of the file."""
    found: dict[str, list[Shown]] = {checked.path: []}
    for one in checked.diagnostics(more):
        _show(one, checked.source, found.setdefault(path_of(checked, one.span), []))
        if one.span.file is not checked.source:
            here = replace(one, span=_place_here(checked, one), edits=(), label="", trace=(CallSite(one.span, "here"),))
            _show(here, checked.source, found[checked.path])
    return found


def _place_here(checked: Checked, one: Diagnostic) -> Span:
    """Where a text shows what is wrong in a file that it uses: at the stage that led there, else at the path of the `use`."""
    stage = next((site for site in reversed(one.trace) if site.span.file is checked.source), None)
    if stage is not None:
        return stage.span
    use = checked.use_of(one.span.file)
    return use.path.span if use is not None else Span(checked.source, 0, 0)


def path_of(checked: Checked, span: Span) -> str:
    """The real path of the file that a span is in."""
    return checked.path if span.file is checked.source else span.file.name


def _show(one: Diagnostic, source: SourceFile, shown: list[Shown]) -> None:
    if len(shown) < MOST:
        related = (*((mark.span, mark.text) for mark in one.marks), *((site.span, site.text) for site in one.trace))
        # a block that is in itself is used at one position many times
        shown.append(Shown(one, message(one), tuple(dict.fromkeys(related))))


def message(one: Diagnostic) -> str:
    """The title, what is said at the position, the notes, and the help."""
    parts = [one.message, one.label, *one.notes, *(f"help: {text}" for text in one.help)]
    return "\n".join(part for part in parts if part)
