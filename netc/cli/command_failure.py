"""How a command says that it cannot go on: an exception that click shows as an error."""

from __future__ import annotations

import os

import click

from .terminal import complain

FAILED = 1
"""The exit code of a command that reports errors."""


class Failed(click.ClickException):
    """Something that the user can mend outside of the spec: a file, an array, a device."""

    exit_code = FAILED

    def __init__(self, message: str, *help: str) -> None:
        super().__init__(message)
        self.help = help

    def show(self, file: object = None) -> None:
        complain(self.message, *self.help)


def no_file(path: str) -> Failed:
    """The failure of a path that is no file, as people need to know of it."""
    return Failed(f"`{path}` is a directory, not a file" if os.path.isdir(path) else f"there is no file `{path}`")
