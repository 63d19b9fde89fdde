"""`netc explain`: show the page of an error or warning.

For example, `netc explain unknown-operator` and `netc explain 'error[unknown-operator]'` show docs/errors/unknown-operator.md.
"""

from __future__ import annotations

import click

from ..display.text_table import wrap_rows
from ..reference.error_pages import list_codes, list_titles, read_page
from .completion import complete_codes
from .terminal import write_markdown, write_text


@click.command("explain")
@click.argument("code", required=False, metavar="CODE", shell_complete=complete_codes)
def command(code: str | None) -> None:
    if code is None:
        write_text("\n".join(wrap_rows(list_titles())))
        return
    # people copy the code with the word in front of it: `error[unknown-operator]`
    text = read_page(code.strip().removeprefix("error[").removeprefix("warning[").removesuffix("]"))
    if text is None:
        raise click.UsageError(_unknown_code(code, list_codes()))
    write_markdown(text)


def _unknown_code(code: str, known: list[str]) -> str:
    from netc.dsl.diagnostics.suggest import find_similar_names

    names = find_similar_names(code, known) or [known_code for known_code in known if code in known_code][:2]
    hint = f"did you mean {' or '.join(f'`{n}`' for n in names)}?" if names else "`netc explain` lists all"
    return f"there is no code `{code}`; {hint}"
