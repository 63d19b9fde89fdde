"""The exception of a command that cannot go on, which click shows as an error.

>>> print(missing_file("model.onnx").format_message())
there is no file `model.onnx`
"""

from __future__ import annotations

import os

import click

from .terminal import write_error

FAILED = 1
"""The exit code of a command that reports errors."""


class CommandFailed(click.ClickException):
    """A mistake outside of the spec, such as a wrong file, array or device. Mistakes in a spec are diagnostics instead."""

    exit_code = FAILED

    def __init__(self, message: str, *help: str) -> None:
        super().__init__(message)
        self.help = help

    def show(self, file: object = None) -> None:
        write_error(self.message, *self.help)


def missing_file(path: str) -> CommandFailed:
    """Return the failure for a path that is not a file. A folder may be named like a model, so the message tells the two apart."""
    return CommandFailed(f"`{path}` is a directory, not a file" if os.path.isdir(path) else f"there is no file `{path}`")
