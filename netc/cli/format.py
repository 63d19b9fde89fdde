"""`netc format`: lays specs out in the one way."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netc.dsl.formatter import format_source

from ..files.atomic_writing import write_bytes
from ..files.source_files import Unreadable
from .completion import FileName
from .report import give_up_on
from .spec_sources import reader, spec_files
from .terminal import note, write

if TYPE_CHECKING:
    from netc.dsl.diagnostics import Diagnostic


@click.command("format")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FileName())
@click.option("--check", is_flag=True, help="Change nothing. List the files that would change, and exit with 1 if there are any.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], check: bool) -> None:
    """A file with syntax errors is left unchanged."""
    files = spec_files(files)
    wrong: list[Diagnostic] = []
    changed: list[str] = []
    for path in files:
        try:
            source, _ = reader(path, None)()
        except Unreadable as error:
            wrong.append(error.diagnostic)
            continue
        formatted, diagnostics = format_source(source)
        if formatted is None:
            wrong += diagnostics
        elif formatted != source.text:
            changed.append(path)
        if formatted is not None and not check:
            _put(path, formatted, formatted != source.text)
    _conclude(changed, check)
    if wrong:
        give_up_on(wrong)
    ctx.exit(check and bool(changed))


def _put(path: str, text: str, differs: bool) -> None:
    if path == "-" or differs:
        write_bytes(path, text.encode())


def _conclude(changed: list[str], check: bool) -> None:
    if check:
        for path in changed:
            write(path)
        note(f"{len(changed)} to format" if changed else "all in order")
    elif changed and changed != ["-"]:
        note(f"{len(changed)} file{'s' if len(changed) > 1 else ''} formatted")
