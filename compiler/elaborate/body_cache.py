"""What an elaboration leaves for the next one of nearly the same text: the finished bodies of blocks that have not changed.

In: which files of spans are the same as before, and what each of them depends on (`Memory.begin`). Out: a memo that several elaborations
share. Always: an elaboration with a memory gives what it gives without one; only bodies of blocks are kept, since everything that they
depend on is in their key: their node, the definitions that they can reach (the closure), the dimensions with their facts and the
`default`s (the context), their inputs, and what they read from around them.

What an elaboration notes in addition to its graph, in the index and as diagnostics, is kept with each body as a `Recording` and repeated
at its first use in a later elaboration. Bodies inside it have recordings of their own.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from netc.dsl.diagnostics import CallSite, Diagnostic
from netc.dsl.source import SourceFile

from ..binding.file_names import Known
from .scopes.memo import Memo

MOST = 6_000
"""The names of bodies after which everything is forgotten."""

Trace = tuple[CallSite, ...]


class Recording:
    """What the elaboration of one body noted: parts of the index, diagnostics, counts; and the bodies inside it, with their uses. `holds`
    keeps alive what keys have the identity of. `lasting`: nothing in it refers to text that may change."""

    __slots__ = ("counts", "diagnostics", "holds", "inside", "lasting", "names", "stages")

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.stages: list[Any] = []
        self.diagnostics: list[tuple[Diagnostic, int]] = []
        """With the number of its last call sites that are those around the body."""
        self.inside: list[tuple[Recording, CallSite | None]] = []
        self.counts: tuple[int, ...] = ()
        self.holds: tuple[object, ...] = ()
        self.lasting = True


class Memory:
    """The bodies of earlier elaborations."""

    def __init__(self) -> None:
        self.memo = Memo()
        self.owners: dict[tuple[int, int], tuple[str, object]] = {}
        """The beginnings of the symbols of bodies, and what keeps the identity of their nodes."""
        self.names: Known = {}
        """The names of blocks and functions, by the identity of their nodes."""
        self._closures: dict[int, int] = {}
        self._numbers: dict[Hashable, int] = {}
        self._holds: list[object] = []

    def begin(self, closures: Mapping[SourceFile, Hashable], holds: Iterable[object]) -> None:
        """Before an elaboration: `closures` has what the definitions in each lasting file depend on. `holds` are objects whose identity
        is part of that."""
        if max(len(self.owners), len(self._numbers), len(self.names)) > MOST:
            self.__init__()  # type: ignore[misc]
        self._closures = {}
        for file, closure in closures.items():
            self._closures[id(file)] = self._number(closure)
        self._holds += (*closures, *closures.values(), *holds)

    def closure(self, file: SourceFile) -> int | None:
        """A number for what a lasting file depends on; None for another file."""
        return self._closures.get(id(file))

    def context(self, context: Hashable) -> int:
        """A number for what all bodies of an elaboration depend on."""
        return self._number(("context", context))

    def _number(self, key: Hashable) -> int:
        return self._numbers.setdefault(key, len(self._numbers))
