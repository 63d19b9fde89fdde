"""Undoes changes: a journal of the changes to dictionaries and sets.

A copy of everything before each node, to return to if the node is refused, took quadratic time.

    >>> journal, labels = Journal(), {"conv1"}
    >>> point = journal.point
    >>> journal.add_member(labels, "conv2")
    >>> journal.take_back(point)
    >>> labels
    {'conv1'}

In: changes of dictionaries and sets. Out: the same as they were at a point of the journal. Always: undoing costs as much as the changes
did.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Member = TypeVar("Member")


class Journal:
    """Makes changes and records how to undo them."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    @property
    def point(self) -> int:
        """The current point, to return to with `take_back`."""
        return len(self._undo)

    def set_item(self, into: dict[Key, Member], key: Key, item: Member) -> None:
        """Set an item of a dictionary."""
        if key in into:
            before = into[key]
            self._undo.append(lambda: into.__setitem__(key, before))
        else:
            self._undo.append(lambda: into.pop(key))
        into[key] = item

    def add_member(self, into: set[Member], item: Member) -> None:
        """Add an item to a set."""
        if item not in into:
            into.add(item)
            self._undo.append(lambda: into.discard(item))

    def take_back(self, point: int) -> None:
        """Undo all changes since that point, the last one first."""
        while len(self._undo) > point:
            self._undo.pop()()
