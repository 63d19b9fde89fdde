"""Inlay hints: the shape of what a line gives, at the end of the line.

In: a checked text and a range of offsets. Out: `Hint`s in the order of the text, at most one a line: the result of the outermost stage
that ends there. Always: a line whose shape is unknown because of an error has the one that it would have with the errors corrected as
their help says, marked with `?`.
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.elaborate.index import StageResult
from netc.dsl.record import Record

from .checked_text import Checked
from .correction import Correction, corrected
from .type_text import show_types

LONGEST = 80
"""The characters of a hint; a longer one is cut, and whole in its tooltip."""


ROUNDS = 3
"""How often a text is corrected: what is wrong below an error is known once that is corrected."""
ASSUMED = "with the errors of the text corrected as their help says; an operation whose operands do not fit gives the first one"


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
    found = {one.offset: one for one in (*_assumed(checked, first, stop), *_known(checked, first, stop))}
    return [found[offset] for offset in sorted(found)]


def _assumed(checked: Checked, first: int, stop: int) -> Iterator[Hint]:
    """Those of the corrected text, where this one has the same lines."""
    made: list[Correction] = []
    trial: Checked | None = checked
    while trial is not None and len(made) < ROUNDS and (one_more := corrected(trial.source, trial.file, trial.diagnostics())) is not None:
        made.append(one_more)
        trial = checked.workspace.trial(checked.path, one_more.text)
    if trial is None or not made:
        return
    for one in _known(trial, 0, len(trial.source.text)):
        offset = one.offset
        for correction in reversed(made):
            offset = correction.before(offset)
        offset = _line_end(checked.source.text, offset)
        if first <= offset <= stop:
            yield Hint(offset, f"{one.text} ?", f"{one.whole}\n{ASSUMED}".strip())


def _known(checked: Checked, first: int, stop: int) -> list[Hint]:
    text = checked.source.text
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
