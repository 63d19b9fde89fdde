"""What a picture consists of, before it has coordinates: boxes and the wires between them, one level at a time.

Always: boxes are in the order of computation, inputs first and outputs last, so a wire goes from a box to a later one. A wire starts at a
tag of its box, which shows the type of what goes out there.
"""

from __future__ import annotations

from typing import Literal

from netc.dsl.record import Record

Shape = Literal["input", "output", "port", "stage", "block"]
"""`port` is an input or output of a frame; a `block` has something inside, a `stage` does not."""


class Box(Record):
    """`title` is bold, `lines` follow it; `about` is its path. `tags`: one for each value that goes out of it. `times`: it is that number
    of equal stages in a row. A `frame` is drawn open, with what is inside; `opens` is the number of the page that shows what
    is inside a closed one."""

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
    """What a comparison says of it: `added`, `removed`, `changed`, or nothing."""
    exits: tuple[int, ...] = ()
    """For each tag, the number of the output inside that it is."""


class Wire(Record):
    """From a tag of a box to another box; both are positions in a level. `port` is the input inside the target that it goes to."""

    source: int
    tag: int
    target: int
    port: int = 0


class Level(Record):
    """Boxes and wires that are drawn next to each other."""

    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]

    @property
    def stage_count(self) -> int:
        """The number of boxes with something to read, those in open frames included."""
        return sum(box.frame.stage_count if box.frame is not None else box.shape in ("stage", "block") for box in self.boxes)


class Page(Record):
    """A picture of its own: the model, or what is inside a box that another page shows closed."""

    title: str
    subtitle: str
    level: Level
    legend: tuple[str, ...] = ()
    """What short names of sizes mean."""
    parent: int | None = None
    """The page that leads here first."""


class Picture(Record):
    """All pages, that of the model first."""

    name: str
    pages: tuple[Page, ...]
    left_out: int = 0
    """The number of boxes that could be opened and have no page, since there are too many."""
