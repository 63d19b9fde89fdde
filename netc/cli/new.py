"""`netc new`: the beginning of a project."""

from __future__ import annotations

import os

import click

from .command_failure import Failed
from .completion import FolderName
from .new_project import CannotStart, start
from .terminal import write


@click.command("new")
@click.argument("name", metavar="NAME", type=FolderName())
def command(name: str) -> None:
    try:
        files = start(name)
    except CannotStart as error:
        raise Failed(str(error)) from None
    for file in files:
        write(f"wrote {os.path.join(name, file)}")
