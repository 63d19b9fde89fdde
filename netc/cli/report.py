"""Diagnostics on the terminal, in a pipe, as one line each, as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import NoReturn, TextIO

import click

from netc import __version__
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.render import render_short, render_text, sort_and_dedupe, to_json
from netc.dsl.diagnostics.render.cells import TAB
from netc.dsl.escapes import escape_controls
from netc.dsl.source import Span

from .command_failure import FAILED
from .terminal import colored, width_of


def report(diagnostics: Sequence[Diagnostic], form: str, stream: TextIO) -> None:
    """Writes all diagnostics to the stream; without any, nothing, or for `json` an empty array."""
    ordered = sort_and_dedupe(diagnostics)
    if form in ("json", "sarif"):
        from .records import as_json  # and the json package

        stream.write(as_json(to_json(ordered) if form == "json" else sarif(ordered)) + "\n")
    elif form == "github":
        stream.write(github(ordered))
    elif not ordered:
        return
    elif form == "short":
        stream.write(render_short(ordered))
    else:
        stream.write(render_text(ordered, color=colored(stream), width=width_of(stream)))


def give_up_on(diagnostics: Sequence[Diagnostic]) -> NoReturn:
    """Reports what is wrong with the spec, and ends the command."""
    report(diagnostics, "text", sys.stderr)
    raise click.exceptions.Exit(FAILED)


# Diagnostics for continuous integration: SARIF 2.1.0, and the commands of GitHub Actions.


_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def sarif(diagnostics: Sequence[Diagnostic]) -> dict[str, object]:
    """A log with one run. Columns count characters from 1, and an end is after the last one."""
    rules = [{"id": code} for code in sorted({d.code for d in diagnostics})]
    driver = {"name": "netc", "version": __version__, "rules": rules}
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": [_result(d) for d in diagnostics]}
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def github(diagnostics: Sequence[Diagnostic]) -> str:
    """`::error file=...,line=...::message`, one per line."""
    return "".join(_command(d) for d in diagnostics)


def _result(one: Diagnostic) -> dict[str, object]:
    return {
        "ruleId": one.code,
        "level": one.severity,
        "message": {"text": "\n".join((one.message, *one.notes, *(f"help: {h}" for h in one.help)))},
        "locations": [{"physicalLocation": {"artifactLocation": {"uri": one.span.file.name}, "region": _region(one.span)}}],
    }


def _region(span: Span) -> dict[str, int]:
    (line, column), (end_line, end_column) = span.file.line_and_column(span.start), span.file.line_and_column(span.end)
    return {"startLine": line, "startColumn": column, "endLine": end_line, "endColumn": end_column}


def _command(one: Diagnostic) -> str:
    region = _region(one.span)
    severity = "notice" if one.severity == "note" else one.severity
    where = f"file={_property(one.span.file.name)},line={region['startLine']},col={region['startColumn']}"
    text = "\n".join((one.message, *(f"help: {h}" for h in one.help)))
    return f"::{severity} {where},title={one.code}::{_data(text)}\n"


def _data(text: str) -> str:
    """The text as a workflow command has it. Control characters are escaped too, because GitHub shows the text in a log."""
    return "%0A".join(escape_controls(line.expandtabs(TAB)) for line in text.replace("%", "%25").replace("\r", "%0D").split("\n"))


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
