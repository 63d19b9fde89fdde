"""Inlay hints: the shape of what a line gives, at the end of the line.

In: a checked text and a range of offsets. Out: `Hint`s in the order of the text, at most one a line: the result of the outermost stage
that ends there.
"""

from __future__ import annotations

from netc.compiler.elaborate.index import StageResult
from netc.dsl.record import Record

from .checked import Checked
from .show import show_types

LONGEST = 80
"""The characters of a hint; a longer one is cut, and whole in its tooltip."""


class Hint(Record):
    """A text to show at an offset. `whole` is all of it if it was cut, else empty."""

    offset: int
    text: str
    whole: str = ""


def hints(checked: Checked, start: int = 0, end: int | None = None) -> list[Hint]:
    """The hints of the lines that have an offset from `start` to `end`."""
    text = checked.source.text
    stop = len(text) if end is None else min(end, len(text))
    stop = _line_end(text, stop)
    first = text.rfind("\n", 0, max(0, min(start, len(text)))) + 1
    last: dict[int, StageResult] = {}
    for stage in checked.stages:
        if first <= stage.span.end <= stop and stage.is_typed:
            line = text.count("\n", 0, stage.span.end)
            known = last.get(line)
            if known is None or (stage.span.end, -stage.span.start) >= (known.span.end, -known.span.start):
                last[line] = stage
    return [_hint(text, stage) for stage in last.values()]


def _hint(text: str, stage: StageResult) -> Hint:
    shown = "# " + show_types(stage.types)
    cut = shown if len(shown) <= LONGEST else shown[: LONGEST - 3] + "..."
    return Hint(_line_end(text, stage.span.end), cut, shown if cut != shown else "")


def _line_end(text: str, offset: int) -> int:
    """The end of the line that has an offset, before its spaces and its line break."""
    end = text.find("\n", offset)
    line = text[offset : end if end >= 0 else len(text)]
    return offset + len(line.rstrip())
