"""List the paths that `use` may name, and the names that their files export."""

from __future__ import annotations

import os

from netc.compiler.elaborate import CannotLoad
from netc.dsl import ast

from ..files.file_access import SUFFIX
from ..reference.word_pages import list_library_files
from .checked_text import CheckedText
from .imports import Importer

MAX_FILES = 200
"""The largest number of files that are listed, because a folder may contain whole projects."""


def list_paths(checked: CheckedText, prefix: str) -> list[str]:
    """List the files in the folder of the text and below it, then the files of the standard library."""
    folder = os.path.dirname(checked.path)
    results: list[str] = []
    for folder_path, folders, files in os.walk(folder):
        # `os.walk` does not enter folders that are removed from this list.
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "node_modules")
        inside = [os.path.relpath(os.path.join(folder_path, name), folder).replace(os.sep, "/") for name in files if name.endswith(SUFFIX)]
        results += [name for name in inside if os.path.join(folder, name) != checked.path]
        if len(results) > MAX_FILES:
            break
    return [path for path in (*sorted(results)[:MAX_FILES], *list_library_files()) if path.startswith(prefix)]


def list_exported_names(checked: CheckedText, path: str) -> list[tuple[str, str]]:
    """List the names that a file exports, with their kinds."""
    importer = Importer(checked.workspace.make_loader(checked.source, checked.path), checked.workspace.parse_used)
    span = checked.file.span
    try:
        theirs = importer(ast.Use(span, ast.String(span, path), ()))
    except CannotLoad:
        return []
    return [(name, definition.kind) for name, definition in theirs.items()]
