"""Find the specs that a command names.

In: a path, the name of a published spec, `-` for standard input, or the text after `-e`. Out: a function that reads the source. A command
reads it only after it has checked its options, so that a wrong option does not wait for standard input.

    >>> get_suffix("model.ONNX"), is_spec("no/such/file.net")
    ('.onnx', False)
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from netc.dsl.source import SourceFile

from ..files.published_specs import find_published
from ..files.read_spec import read_spec
from ..files.source_files import read_stdin

Reader = Callable[[], tuple[SourceFile, str | None]]
"""Reads a source, and returns it with the path it was read from. Raises `Unreadable`."""
ONNX = ".onnx"
"""The ending of models that commands read in place of a spec. PyTorch unpickles a `.pt2` file, which can run code, so only `netc import`
and `netc bench` read those."""


def find_spec_files(paths: Sequence[str]) -> tuple[str, ...]:
    """Return the files of these paths. A folder stands for all specs in it and its subfolders, except hidden ones."""
    files: list[str] = []
    for path in paths:
        if path == "-" or not os.path.isdir(path):
            files.append(path)
            continue
        inside: list[str] = []
        for folder, folders, names in os.walk(path):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            specs = sorted(name for name in names if name.endswith(".net") and not name.startswith("."))
            inside += [os.path.normpath(os.path.join(folder, name)) for name in specs]
        files += inside or [path]  # reading a folder without specs is an error
    return tuple(dict.fromkeys(files))


def make_reader(path: str | None, text: str | None) -> Reader:
    """Return a function that reads the source."""
    if path is None:
        return lambda: (SourceFile("<text>", text or ""), None)
    if path == "-":
        return lambda: (read_stdin(), None)
    if get_suffix(path) == ONNX:
        from ..importing.onnx_texts import read_model_file  # which imports the onnx package

        return lambda: (read_model_file(path), path)
    return lambda: read_spec(path)


def is_spec(path: str) -> bool:
    """Whether there is a file at a path, or a published spec of this name."""
    return os.path.isfile(path) or (path.isidentifier() and find_published(path) is not None)


def get_suffix(path: str) -> str:
    """Return the ending of a file name in lower case: `Model.ONNX` has `.onnx`."""
    return os.path.splitext(path)[1].lower()
