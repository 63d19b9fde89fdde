"""The finished bodies of blocks that the next elaboration of nearly the same text reuses.

An editor checks a text at every key. If you change the last line of

    block layer(width) { in -> dense width relu }
    x = input 8 -> layer 16
    x -> layer 32

to `x -> layer 64`, the body of `layer 16` is found in the memo, and only the body of `layer 64` is elaborated.

`BodyCache.begin_elaboration` takes the lasting files and the closure of each. The cache then has a memo that several elaborations share,
and for each body in it a `Recording` of what its elaboration noted in addition to the graph: names and stages for the index, diagnostics,
and counts. The first use of the body in a later elaboration repeats these notes. Bodies inside it have recordings of their own. An
elaboration with a cache gives the same result as one without.

- A file is *lasting* if it stays the same object from one text to the next, with the positions in it. Such files are the definitions that
  the service parses one by one (netc/service/stable_trees.py) and files that others use. Only bodies that are written in these are kept.
- The *closure* of a file is all that its definitions can reach by name: other definitions, and the names that are imported. If one of
  these changes, the closure is another one, and so is the key of each body.
- The *context* is what all bodies of an elaboration depend on: facts, dimensions and `default`s.

The key of a body has its closure and its context as numbers, its node, its inputs, and what it read from the graph around it. Keys use
the identity of nodes and other objects. An object that is freed could pass its identity on to a new one, so the memory *holds* these
objects for as long as the keys exist. It never drops single bodies: past MAX_NAMES names, `begin_elaboration` forgets all of them, and
the next elaboration starts anew.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from typing import Any

from netc.dsl.diagnostics import CallSite, Diagnostic
from netc.dsl.source import SourceFile

from ..binding.file_names import Known
from .scopes.memo import Memo

MAX_NAMES = 6_000
"""The names of bodies after which everything is forgotten."""

Trace = tuple[CallSite, ...]


class Recording:
    """The notes of the elaboration of one body: parts of the index, diagnostics, counts; and the bodies inside it, with their uses. `holds`
    keeps the objects alive whose identity is in the body's key. `lasting`: all positions in it are in lasting files, so a later elaboration
    may repeat it."""

    __slots__ = ("counts", "diagnostics", "holds", "inside", "lasting", "lets", "names", "stages")

    def __init__(self) -> None:
        self.names: list[Any] = []
        self.stages: list[Any] = []
        self.diagnostics: list[tuple[Diagnostic, int]] = []
        """With the number of its last call sites that are those around the body."""
        self.inside: list[tuple[Recording, CallSite | None]] = []
        self.lets: set[tuple[str, str]] = set()
        """The `let`s of files that the body read: the name of the file, and their own."""
        self.counts: tuple[int, ...] = ()
        self.holds: tuple[object, ...] = ()
        self.lasting = True


class BodyCache:
    """The bodies of earlier elaborations."""

    def __init__(self) -> None:
        self._forget_all()

    def _forget_all(self) -> None:
        self.memo = Memo()
        self.owners: dict[tuple[int, int], tuple[str, object]] = {}
        """The beginnings of the symbols of bodies, and what keeps the identity of their nodes."""
        self.names: Known = {}
        """The names of blocks and functions, by the identity of their nodes."""
        self._closures: dict[int, int] = {}
        self._numbers: dict[Hashable, int] = {}
        self._holds: list[object] = []

    def begin_elaboration(self, closures: Mapping[SourceFile, Hashable], holds: Iterable[object]) -> None:
        """Before an elaboration: `closures` has what the definitions in each lasting file depend on. `holds` are objects whose identity
        is part of that."""
        if max(len(self.owners), len(self._numbers), len(self.names)) > MAX_NAMES:
            self._forget_all()
        self._closures = {}
        # Anew for each text: the same file object may have another closure now.
        for file, closure in closures.items():
            self._closures[id(file)] = self._number_of(closure)
        self._holds += (*closures, *closures.values(), *holds)

    def closure_number(self, file: SourceFile) -> int | None:
        """A number for what a lasting file depends on; None for another file."""
        return self._closures.get(id(file))

    def context_number(self, context: Hashable) -> int:
        """A number for what all bodies of an elaboration depend on."""
        return self._number_of(("context", context))

    def _number_of(self, key: Hashable) -> int:
        # Numbers make the keys of bodies short: a closure has all definitions that it reaches, and is compared only here.
        return self._numbers.setdefault(key, len(self._numbers))
