"""Write diagnostics in a format of `--format`: text with snippets, one line each, JSON, SARIF, or commands of GitHub Actions.

>>> from netc.dsl.parser import parse_source
>>> from netc.dsl.source import SourceFile
>>> print(format_github_commands(parse_source(SourceFile("a.net", "x -> -> relu"))[1]), end="")
::error file=a.net,line=1,col=6,title=syntax::expected a stage after `->`, found `->`
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

import click

from netc import __version__
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import render_short, sort_and_dedupe, to_json
from netc.dsl.diagnostics.render.cells import TAB
from netc.dsl.escapes import escape_controls
from netc.dsl.source import Span

from .command_failure import FAILED
from .terminal import get_terminal_width, has_colors


def report_diagnostics(diagnostics: Sequence[Diagnostic], form: str, stream: TextIO) -> None:
    """Write all diagnostics to the stream. Without diagnostics, the text forms are empty, and JSON and SARIF are still valid documents."""
    ordered = sort_and_dedupe(diagnostics)
    if form in ("json", "sarif"):
        from .records import format_json  # which imports json, and only these two formats need it

        stream.write(format_json(to_json(ordered) if form == "json" else make_sarif_log(ordered)) + "\n")
    elif form == "github":
        stream.write(format_github_commands(ordered))
    elif not ordered:
        return
    elif form == "short":
        stream.write(render_short(ordered))
    else:
        from netc.dsl.diagnostics.render import render_text

        stream.write(render_text(ordered, color=has_colors(stream), width=get_terminal_width(stream)))


def report_and_exit(diagnostics: Sequence[Diagnostic]) -> NoReturn:
    """Report the diagnostics of a spec, and end the command."""
    report_diagnostics(diagnostics, "text", sys.stderr)
    raise click.exceptions.Exit(FAILED)


_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def make_sarif_log(diagnostics: Sequence[Diagnostic]) -> dict[str, object]:
    """Return a SARIF 2.1.0 log with one run. Columns count characters from 1, and an end column is after the last character."""
    rules = [{"id": code} for code in sorted({d.code for d in diagnostics})]
    driver = {"name": "netc", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_make_sarif_result(d) for d in diagnostics]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def format_github_commands(diagnostics: Sequence[Diagnostic]) -> str:
    """Return the diagnostics as commands of GitHub Actions, one per line: `::error file=...,line=...::message`."""
    return "".join(_format_github_command(d) for d in diagnostics)


def _make_sarif_result(diagnostic: Diagnostic) -> dict[str, object]:
    return {
        "ruleId": diagnostic.code,
        "level": diagnostic.severity,
        "message": {"text": _format_plain_text(diagnostic)},
        "locations": [
            {"physicalLocation": {"artifactLocation": {"uri": diagnostic.span.file.name}, "region": _make_sarif_region(diagnostic.span)}}
        ],
    }


def _make_sarif_region(span: Span) -> dict[str, int]:
    (line, column), (end_line, end_column) = span.file.line_and_column(span.start), span.file.line_and_column(span.end)
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _format_github_command(diagnostic: Diagnostic) -> str:
    region = _make_sarif_region(diagnostic.span)
    # GitHub's word for a note
    severity = "notice" if diagnostic.severity == "note" else diagnostic.severity
    where = f"file={_escape_github_property(diagnostic.span.file.name)},line={region['startLine']},col={region['startColumn']}"
    return f"::{severity} {where},title={diagnostic.code}::{_escape_github_text(_format_plain_text(diagnostic))}\n"


def _format_plain_text(diagnostic: Diagnostic) -> str:
    """Return the message, the reason and the advice, without the text of the spec."""
    lines = (diagnostic.message, diagnostic.label, *diagnostic.notes, *(f"help: {advice}" for advice in diagnostic.help))
    return "\n".join(filter(None, lines))


def _escape_github_text(text: str) -> str:
    """Escape the text of a workflow command. Control characters are escaped too, because GitHub shows the text in a log."""
    # percent signs first, because the other escapes contain one
    return "%0A".join(escape_controls(line.expandtabs(TAB)) for line in text.replace("%", "%25").replace("\r", "%0D").split("\n"))


def _escape_github_property(text: str) -> str:
    """Escape the value of a property, such as a file name, in which a colon or a comma would end it."""
    return _escape_github_text(text).replace(":", "%3A").replace(",", "%2C")
