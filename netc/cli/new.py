"""`netc new`: the beginning of a project."""

from __future__ import annotations

import os

import click

from .completion import FolderName
from .exit_codes import Failed
from .terminal import write


@click.command("new")
@click.argument("name", metavar="NAME", type=FolderName())
def command(name: str) -> None:
    """Start a project: a folder with a spec, data, a train section and a README."""
    from .new_project import CannotStart, start

    try:
        files = start(name)
    except CannotStart as error:
        raise Failed(str(error)) from None
    for file in files:
        write(f"wrote {os.path.join(name, file)}")
