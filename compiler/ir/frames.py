"""Which use of a block a node is part of, in a graph whose calls are opened. Frames are the same where they are the same object."""

from __future__ import annotations


class Frame:
    """A use of the block `name`, within the use `parent`. `path` is that of its parameters, which uses of a shared stage have in common."""

    __slots__ = ("name", "parent", "path")

    def __init__(self, name: str, path: str, parent: Frame | None) -> None:
        self.name = name
        self.path = path
        self.parent = parent
