"""`netc zoo`: list the specs that are part of netc, or print one.

$ netc zoo
file                         models
audio/hifigan.net            hifigan_v1, hifigan_v2, hifigan_v3
deep_mlp.net                 deep_mlp
...
"""

from __future__ import annotations

import sys

import click

from ..display.text_table import wrap_rows
from ..files.published_specs import SPECS_FOLDER, NoSuchModel, find_or_raise, resolve_path
from .command_failure import CommandFailed
from .completion import complete_published
from .terminal import get_table_width, style_table, write_text


@click.command("zoo")
@click.argument("name", required=False, metavar="NAME", shell_complete=complete_published)
@click.option("--path", "where", is_flag=True, help="Print the path of the file, for other commands.")
def command(name: str | None, where: bool) -> None:
    """NAME is a model, such as resnet50, or a file, such as vision/resnet.net. In a spec, write `use "zoo/vision/resnet.net"`."""
    if name is None:
        write_text(SPECS_FOLDER if where else style_table(_format_list()))
        return
    try:
        path, _ = find_or_raise(name)
    except NoSuchModel as error:
        raise CommandFailed(str(error)) from None
    if where:
        write_text(resolve_path(path))
        return
    with open(resolve_path(path), encoding="utf-8") as file:
        write_text(file.read())


def _format_list() -> str:
    from ..files.published_specs import list_published

    rows = [("file", "models")]
    rows += [(entry.path, ", ".join(entry.complete)) for entry in list_published()]
    return "\n".join(wrap_rows(rows, get_table_width(sys.stdout)))
