"""The diagnostic: what is wrong, where, through which blocks, and how to fix it. It is plain data; render/ turns it into text and JSON.

>>> from ..source import SourceFile
>>> source = SourceFile("<text>", "x = reluu(y)")
>>> apply_edits([Edit(Span(source, 4, 9), "relu")])
'x = relu(y)'
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ..record import Record
from ..source import SourceFile, Span

Severity = Literal["error", "warning", "note"]


class Mark(Record):
    """A secondary label: another span of a diagnostic, with its text."""

    span: Span
    text: str


class Edit(Record):
    """A change of the text that fixes the error: replace `span` with `text`. `safe`: it is what was meant, not only the nearest."""

    span: Span
    text: str
    safe: bool = True


def apply_edits(edits: Iterable[Edit]) -> str:
    """The text of a file after edits of it that do not overlap. There is at least one."""
    ordered = sorted(edits, key=lambda edit: (edit.span.start, edit.span.end))
    text = ordered[0].span.file.text
    # From the end of the text, so that an edit does not move the positions of those before it.
    for edit in reversed(ordered):
        text = text[: edit.span.start] + edit.text + text[edit.span.end :]
    return text


class CallSite(Record):
    """One step of the chain of blocks that a span was expanded through: `text` is for example "in block `basic`, used here"."""

    span: Span
    text: str


class Diagnostic(Record):
    """One message.

    `message` is the title: it makes sense alone, is lower case and has no full stop. `label` is printed next to the carets of `span`;
    `marks` are secondary labels; `notes` state, `help` suggests. `trace` runs from the innermost use outwards.
    """

    severity: Severity
    code: str
    message: str
    span: Span
    label: str = ""
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()
    help: tuple[str, ...] = ()
    edits: tuple[Edit, ...] = ()
    trace: tuple[CallSite, ...] = ()


def select_safe_edits(source: SourceFile, diagnostics: Iterable[Diagnostic]) -> list[Edit]:
    """Select the safe edits of a file, in the order of the text; of edits that overlap, only the first one."""
    safe = {(e.span.start, e.span.end, e.text): e for d in diagnostics for e in d.edits if e.safe and e.span.file.name == source.name}
    selected: list[Edit] = []
    for position in sorted(safe):  # an edit of a whole stage comes before the edits within it, and makes them needless
        if not selected or position[0] >= selected[-1].span.end:
            selected.append(safe[position])
    return selected
