"""The parts of a picture before it has coordinates: boxes and the wires between them, one level at a time.

Always: boxes are in the order of computation, inputs first and outputs last, so a wire goes from a box to a later one. A wire starts at a
tag of its box, which shows the type of the value.
"""

from __future__ import annotations

from typing import Literal

from netc.dsl.record import Record

Shape = Literal["input", "output", "port", "stage", "block"]
"""`port` is an input or output of a frame; a `block` has something inside, a `stage` does not."""


class Box(Record):
    """A box. `title` is bold, `lines` are below it, and `about` is its path, which a browser shows under the mouse.

    `tags` has the type of each value that leaves the box. `times` is the number of equal stages in a row that it stands for. A box with a
    `frame` is drawn open, with its inside; for a closed one, `opens` is the number of the page that shows the inside.
    """

    shape: Shape
    title: str
    lines: tuple[str, ...] = ()
    family: str = "other"
    tags: tuple[str, ...] = ()
    times: int = 1
    about: str = ""
    frame: Level | None = None
    opens: int | None = None
    change: str = ""
    """The result of a comparison: `added`, `removed`, `changed`, or empty."""
    exits: tuple[int, ...] = ()
    """For each tag, the number of the output inside."""


class Wire(Record):
    """A wire from a tag of a box to another box; both are positions in a level. `port` is the number of an input inside the target."""

    source: int
    tag: int
    target: int
    port: int = 0


class Level(Record):
    """Boxes and wires that are drawn next to each other."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


class Page(Record):
    """One page: the model, or the inside of a box that another page shows closed."""

    title: str
    subtitle: str
    level: Level
    legend: tuple[str, ...] = ()
    """The meanings of short names of sizes."""
    parent: int | None = None
    """The number of the first page with a link to this one."""


class Picture(Record):
    """All pages, the model's first."""

    name: str
    pages: tuple[Page, ...]
    left_out: int = 0
    """The number of closed boxes without a page, because there are too many pages."""
