"""The diagnostic: what is wrong, where, since when, and what would mend it. Plain data; renderers are apart."""

from __future__ import annotations

from typing import Literal

from ..record import Record
from ..source import Span

Severity = Literal["error", "warning", "note"]


class Mark(Record):
    """A second place that belongs to a diagnostic, with what is to be said of it."""

    span: Span
    text: str


class Edit(Record):
    """A change of the text that would mend the matter: replace `span` by `text`."""

    span: Span
    text: str


class CallSite(Record):
    """One step of the chain of blocks a place was expanded through: `text` is such as "in block `basic`, used here"."""

    span: Span
    text: str


class Diagnostic(Record):
    """One message.

    `message` makes sense alone: lower case, no full stop. `label` is said under the carets of `span`; `marks` are secondary places;
    `notes` state, `help` suggests. `trace` runs from the innermost use outwards.
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
