"""Frames: the use of a block that a node was part of before its call was inlined.

Two nodes belong to the same use if their frames are the same object. Equal names and paths are not enough, because all uses of a shared
stage have one path.

    >>> outer = Frame("encoder", "encoder", None)
    >>> Frame("layer", "encoder.layer", outer).parent.name
    'encoder'
"""

from __future__ import annotations


class Frame:
    """A use of the block `name`, within the use `parent`. `path` is the path of its parameters. All uses of a shared stage have one
    path."""

    __slots__ = ("name", "parent", "path")

    def __init__(self, name: str, path: str, parent: Frame | None) -> None:
        self.name = name
        self.path = path
        self.parent = parent
