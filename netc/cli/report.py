"""Diagnostics on the terminal, in a pipe, as one line each, as JSON."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, NoReturn, TextIO

import click

from .command_failure import FAILED
from .terminal import coloured, width_of

if TYPE_CHECKING:
    from netc.dsl.diagnostics import Diagnostic


def report(diagnostics: Sequence[Diagnostic], form: str, stream: TextIO) -> None:
    """Writes all diagnostics to the stream; without any, nothing, or for `json` an empty array."""
    from netc.dsl.diagnostics.render import render_short, render_text, sort_and_dedupe, to_json

    ordered = sort_and_dedupe(diagnostics)
    if form == "json":
        from .records import as_json

        stream.write(as_json(to_json(ordered)) + "\n")
    elif form == "sarif":
        from .annotations import sarif
        from .records import as_json

        stream.write(as_json(sarif(ordered)) + "\n")
    elif form == "github":
        from .annotations import github

        stream.write(github(ordered))
    elif not ordered:
        return
    elif form == "short":
        stream.write(render_short(ordered))
    else:
        stream.write(render_text(ordered, color=coloured(stream), width=width_of(stream)))


def give_up_on(diagnostics: Sequence[Diagnostic]) -> NoReturn:
    """Reports what is wrong with the spec, and ends the command."""
    report(diagnostics, "text", sys.stderr)
    raise click.exceptions.Exit(FAILED)
