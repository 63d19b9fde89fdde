"""`netc format`: lay specs out in the canonical style.

$ cat mlp.net
x=input 3
x->dense 8   relu
$ netc format mlp.net
1 file formatted
$ cat mlp.net
x = input 3
x -> dense 8 relu
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from netc.dsl.formatter import format_source

from ..files.atomic_writing import write_bytes
from ..files.source_files import Unreadable, read_file, read_stdin
from .completion import FileName
from .report import report_and_exit
from .spec_sources import find_spec_files
from .terminal import write_status, write_text

if TYPE_CHECKING:
    from netc.dsl.diagnostics import Diagnostic


@click.command("format")
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=FileName())
@click.option("--check", is_flag=True, help="Change nothing. List the files that would change, and exit with 1 if there are any.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], check: bool) -> None:
    """A file with syntax errors is left unchanged."""
    files = find_spec_files(files)
    errors: list[Diagnostic] = []
    changed: list[str] = []
    for path in files:
        try:
            source = read_stdin() if path == "-" else read_file(path)
        except Unreadable as error:
            errors.append(error.diagnostic)
            continue
        formatted, diagnostics = format_source(source)
        if formatted is None:
            errors += diagnostics
        elif formatted != source.text:
            changed.append(path)
        # an unchanged file keeps its time stamp, but standard output needs the text in any case
        if formatted is not None and not check and (path == "-" or formatted != source.text):
            write_bytes(path, formatted.encode())
    _report_changes(changed, check)
    if errors:
        report_and_exit(errors)
    ctx.exit(check and bool(changed))


def _report_changes(changed: list[str], check: bool) -> None:
    if check:
        for path in changed:
            write_text(path)
        write_status(f"{len(changed)} to format" if changed else "all in order")
    # for standard input, the formatted text is the output
    elif changed and changed != ["-"]:
        write_status(f"{len(changed)} file{'s' if len(changed) > 1 else ''} formatted")
