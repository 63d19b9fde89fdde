"""Where specs come from: a path, `-` or `-e TEXT` comes in, a way to read it goes out."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from netc.dsl.source import SourceFile

from ..files.source_files import read_file, read_stdin

Reader = "Callable[[], tuple[SourceFile, str | None]]"


ONNX = ".onnx"
"""The ending of models that commands read in place of a spec. PyTorch unpickles a `.pt2`, so only `netc import` reads those."""


def spec_files(paths: Sequence[str]) -> tuple[str, ...]:
    """The files of these paths. A folder stands for all specs in it and in its subfolders, except hidden ones."""
    found: list[str] = []
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            found.append(path)
            continue
        inside: list[str] = []
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            specs = sorted(name for name in names if name.endswith(".net") and not name.startswith("."))
            inside += [os.path.normpath(os.path.join(folder, name)) for name in specs]
        found += inside or [path]  # reading a folder without specs is an error
    return tuple(dict.fromkeys(found))


def reader(path: str | None, text: str | None) -> Callable[[], tuple[SourceFile, str | None]]:
    """Gives, when called, the source and the path it was read from, or raises `Unreadable`."""
    if path is None:
        return lambda: (SourceFile("<text>", text or ""), None)
    if path == "-":
        return lambda: (read_stdin(), None)
    if suffix(path) == ONNX:
        from ..importing.onnx_texts import read_model_file  # and the onnx package

        return lambda: (read_model_file(path), path)
    return lambda: (read_file(path), path)


def suffix(path: str) -> str:
    """The ending of a file name, which says what the file is."""
    return os.path.splitext(path)[1].lower()
