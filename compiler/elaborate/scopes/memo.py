"""Elaborated bodies by what they depend on: a thousand equal layers are elaborated once.

A body depends on its syntax, on its input types, and on what it read from outer scopes (`GraphFrame.reads`). Which names those are is
known only after it has been elaborated once, so an entry is found by trying each set of names that has occurred.

    >>> import netc
    >>> main = netc.compile("block layer { dense 8 relu }; input 8 -> repeat 100 as layers { layer }").program.main
    >>> calls = main.nodes[0].graph.nodes
    >>> len(calls), len({id(call.graph) for call in calls})
    (100, 1)
"""

from __future__ import annotations

from collections.abc import Hashable

from netc.dsl.record import Record

from ...ir.graph import Graph
from ...ir.graph_values import Value
from .pass_through import CallSignature
from .scope import Scope, dependency_key


class MemoEntry(Record):
    """A finished body. `many`: its result is a tuple. `failed`: its result is unknown. `single`: it is one unlabeled stage. `alone`: it
    is one operator without a level of its own. `lead`: the
    number of tensors before the tuple in its input, if there is one."""

    graph: Graph
    many: bool
    failed: bool
    single: bool
    alone: bool
    reads: tuple[str, ...]
    lead: int | None
    signature: CallSignature
    inputs: tuple[Value, ...]
    """The inputs of the body, and the tensors that it captured; the graph takes some of them."""
    recording: object = None
    """The notes of its elaboration, if later elaborations repeat them."""


class Memo:
    """Finished bodies, by key, names read, and the values of those names."""

    def __init__(self) -> None:
        self._entries: dict[Hashable, dict[tuple[str, ...], dict[Hashable, MemoEntry]]] = {}

    def find_entry(self, key: Hashable, scope: Scope) -> MemoEntry | None:
        """The entry whose reads have the same values when seen from `scope`."""
        # Mostly one set of names: other sets come from branches that were decided differently.
        for names, entries in self._entries.get(key, {}).items():
            tokens = _dependency_keys(names, scope)
            if tokens is not None and tokens in entries:
                return entries[tokens]
        return None

    def add_entry(self, key: Hashable, entry: MemoEntry, tokens: Hashable) -> None:
        self._entries.setdefault(key, {}).setdefault(entry.reads, {})[tokens] = entry


def _dependency_keys(names: tuple[str, ...], scope: Scope) -> Hashable | None:
    keys = []
    for name in names:
        bound = scope.find_binding(name)
        # From this scope, the body would not even have the name.
        if bound is None:
            return None
        keys.append(dependency_key(bound[0].value))
    return tuple(keys)
