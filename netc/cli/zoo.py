"""`netc zoo`: the specs that are part of netc."""

from __future__ import annotations

import sys

import click

from ..display.text_table import wrapped
from ..files.published_specs import FOLDER, NoSuchModel, find, real
from .command_failure import Failed
from .completion import published
from .terminal import columns, table, write


@click.command("zoo")
@click.argument("name", required=False, metavar="NAME", shell_complete=published)
@click.option("--path", "where", is_flag=True, help="Print the path of the file, for other commands.")
def command(name: str | None, where: bool) -> None:
    """NAME is a model, such as resnet50, or a file, such as vision/resnet.net. In a spec, write `use "zoo/vision/resnet.net"`."""
    if name is None:
        write(FOLDER if where else table(_listed()))
        return
    try:
        path, _ = find(name)
    except NoSuchModel as error:
        raise Failed(str(error)) from None
    if where:
        write(real(path))
        return
    with open(real(path), encoding="utf-8") as file:
        write(file.read())


def _listed() -> str:
    from ..files.published_specs import published

    rows = [("file", "models")]
    rows += [(entry.path, ", ".join(entry.complete)) for entry in published()]
    return "\n".join(wrapped(rows, columns(sys.stdout)))
