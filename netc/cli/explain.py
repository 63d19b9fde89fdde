"""`netc explain`: the page of an error or warning."""

from __future__ import annotations

import sys

import click

from ..display.text_table import wrapped
from ..reference.error_pages import page, titles
from .completion import codes
from .terminal import colored, write


@click.command("explain")
@click.argument("code", required=False, metavar="CODE", shell_complete=codes)
def command(code: str | None) -> None:
    from ..reference.error_pages import codes as known

    if code is None:
        write("\n".join(wrapped(titles())))
        return
    text = page(code.strip().removeprefix("error[").removeprefix("warning[").removesuffix("]"))
    if text is None:
        raise click.UsageError(_unknown(code, known()))
    if colored(sys.stdout):
        _render(text)
    else:
        write(text)


def _unknown(code: str, known: list[str]) -> str:
    from netc.dsl.diagnostics.suggest import find_similar_names

    names = find_similar_names(code, known) or [one for one in known if code in one][:2]
    hint = f"did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else "`netc explain` lists all"
    return f"there is no code `{code}`; {hint}"


def _render(text: str) -> None:
    from rich.console import Console
    from rich.markdown import Markdown

    Console().print(Markdown(text))
