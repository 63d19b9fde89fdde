"""The text that a program was elaborated from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from netc.dsl import ast
from netc.dsl.record import Record
from netc.dsl.source import SourceFile


class ProgramText(Record):
    """A file and the choices that made a program of it.

    `model` is the model of the file, None if its own statements are the model. `params` are the values that were set, by the names of its
    parameters. `used` has the files that were read, by the name of the file with the `use` and the path in it.
    """

    file: ast.File
    model: ast.ModelDecl | None
    params: Mapping[str, Any]
    used: Mapping[tuple[str, str], SourceFile]
