"""The files that several specs of one command use: each is read and parsed once.

In: a path, and the name of the file in messages. Out: the same `SourceFile`, and the same tree for it. Always: each spec's `SpecLoader`
decides which files the spec may use, and counts their sizes.
"""

from __future__ import annotations

from collections.abc import Callable

from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

Parsed = tuple[ast.File, list[Diagnostic]]


class UsedFiles:
    """The texts and trees of the files that have been used. A file that cannot be read is tried again, for the reason of the failure."""

    def __init__(self) -> None:
        self._sources: dict[tuple[str, str], SourceFile] = {}
        self._trees: dict[int, tuple[SourceFile, Parsed]] = {}

    def read_source(self, real: str, name: str, read: Callable[[str, str], SourceFile]) -> SourceFile:
        """Return the text at a path, from `read` the first time."""
        source = self._sources.get((real, name))
        if source is None:
            source = self._sources[real, name] = read(real, name)
        return source

    def parse_source(self, source: SourceFile) -> Parsed:
        """Return the tree of a text, and its errors."""
        known = self._trees.get(id(source))
        if known is None:
            # Keeps the text, so that its identity does not pass to another one.
            known = self._trees[id(source)] = (source, parse_source(source))
        return known[1]
