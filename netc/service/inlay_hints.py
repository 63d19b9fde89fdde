"""Inlay hints: the shape of a line's result, at the end of the line.

In: a checked text and a range of offsets. Out: `Hint`s in the order of the text, at most one for each line: the result of the outermost
stage that ends there. Always: if an error makes a shape unknown, the hint shows the shape after the corrections that the help suggests,
marked with `?`.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "input 3 -> dense 4")
    >>> [hint.text for hint in list_hints(workspace.check_text("/a.net"))]
    ['# [N, 4]']
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.elaborate.index import StageResult
from netc.dsl.record import Record

from .checked_text import CheckedText
from .correction import Correction, correct_text
from .type_text import format_types

MAX_HINT = 80
"""The number of characters of a hint. A longer one is cut, and its tooltip shows it in full."""


MAX_CORRECTIONS = 3
"""How often a text is corrected. A correction may reveal further errors below it."""
ASSUMED = "with the errors of the text corrected as their help says; an operation whose operands do not fit gives the first one"


class Hint(Record):
    """A text to show at an offset. `full_text` is the full text if it was cut, else empty."""

    offset: int
    text: str
    full_text: str = ""


def list_hints(checked: CheckedText, start: int = 0, end: int | None = None) -> list[Hint]:
    """List the hints of the lines between two offsets."""
    text = checked.source.text
    stop = len(text) if end is None else min(end, len(text))
    stop = _find_line_end(text, stop)
    first = text.rfind("\n", 0, max(0, min(start, len(text)))) + 1
    # Known hints come second, so that they replace assumed ones at the same line.
    by_offset = {hint.offset: hint for hint in (*_list_assumed_hints(checked, first, stop), *_list_known_hints(checked, first, stop))}
    return [by_offset[offset] for offset in sorted(by_offset)]


def _list_assumed_hints(checked: CheckedText, first: int, stop: int) -> Iterator[Hint]:
    """List the hints of the corrected text, at the same lines of this text."""
    corrections: list[Correction] = []
    trial: CheckedText | None = checked
    while (
        trial is not None
        and len(corrections) < MAX_CORRECTIONS
        and (new_correction := correct_text(trial.source, trial.file, trial.collect_diagnostics())) is not None
    ):
        corrections.append(new_correction)
        trial = checked.workspace.check_trial(checked.path, new_correction.text)
    if trial is None or not corrections:
        return
    for hint in _list_known_hints(trial, 0, len(trial.source.text)):
        offset = hint.offset
        for correction in reversed(corrections):
            offset = correction.map_offset(offset)
        offset = _find_line_end(checked.source.text, offset)
        if first <= offset <= stop:
            yield Hint(offset, f"{hint.text} ?", f"{hint.full_text}\n{ASSUMED}".strip())


def _list_known_hints(checked: CheckedText, first: int, stop: int) -> list[Hint]:
    text = checked.source.text
    last: dict[int, StageResult] = {}
    for stage in checked.stages:
        if first <= stage.span.end <= stop and stage.is_typed:
            line = text.count("\n", 0, stage.span.end)
            known = last.get(line)
            # of the stages that end last, the one that begins first contains the others
            if known is None or (stage.span.end, -stage.span.start) >= (known.span.end, -known.span.start):
                last[line] = stage
    return [_make_hint(text, stage) for stage in last.values()]


def _make_hint(text: str, stage: StageResult) -> Hint:
    full = "# " + format_types(stage.types)
    cut = full if len(full) <= MAX_HINT else full[: MAX_HINT - 3] + "..."
    return Hint(_find_line_end(text, stage.span.end), cut, full if cut != full else "")


def _find_line_end(text: str, offset: int) -> int:
    """Find the end of the line that contains an offset, before its spaces and its line break."""
    end = text.find("\n", offset)
    line = text[offset : end if end >= 0 else len(text)]
    return offset + len(line.rstrip())
