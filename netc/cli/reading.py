"""Where specs come from: a path, `-` or `-e TEXT` comes in, a way to read it goes out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from netc.dsl.source import SourceFile

Reader = "Callable[[], tuple[SourceFile, str | None]]"


def reader(path: str | None, text: str | None) -> Callable[[], tuple[SourceFile, str | None]]:
    """Gives, when called, the source and the path it was read from, or raises `Unreadable`."""
    from netc.dsl.source import SourceFile

    from ..files import read_file, read_stdin

    if path is None:
        return lambda: (SourceFile("<text>", text or ""), None)
    if path == "-":
        return lambda: (read_stdin(), None)
    from ..importing.reading import is_model_file, read_model_file

    if is_model_file(path):
        return lambda: (read_model_file(path), path)
    return lambda: (read_file(path), path)
