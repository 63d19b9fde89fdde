"""A journal of changes, so that an attempt can be taken back without a copy of everything before each node.

In: changes of dictionaries and sets. Out: these as they were at a point of the journal. Always: taking back costs as much as was changed
since.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

Key = TypeVar("Key")
Item = TypeVar("Item")


class Journal:
    """Makes changes, and remembers how to undo them."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], object]] = []

    @property
    def point(self) -> int:
        """Where the journal is now."""
        return len(self._undo)

    def set_item(self, into: dict[Key, Item], key: Key, item: Item) -> None:
        """Sets an item of a dictionary."""
        if key in into:
            before = into[key]
            self._undo.append(lambda: into.__setitem__(key, before))
        else:
            self._undo.append(lambda: into.pop(key))
        into[key] = item

    def add_member(self, into: set[Item], item: Item) -> None:
        """Adds an item to a set."""
        if item not in into:
            into.add(item)
            self._undo.append(lambda: into.discard(item))

    def take_back(self, point: int) -> None:
        """Undoes all that was changed since that point, the last change first."""
        while len(self._undo) > point:
            self._undo.pop()()
