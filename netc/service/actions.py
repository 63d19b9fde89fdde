"""Code actions: the edits that diagnostics suggest.

In: a checked text and a range of offsets. Out: `Action`s, the safe ones first. Always: an action changes only the text of its file.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "input 3 -> dropout 0,5")
    >>> [action.title for action in find_actions(workspace.check_text("/a.net"), 0, 22)]
    ['Replace `0,5` with `0.5`']
"""

from __future__ import annotations

from netc.dsl.diagnostics import Diagnostic, Edit, select_safe_edits
from netc.dsl.formatter import format_source
from netc.dsl.record import Record
from netc.dsl.source import Span

from .checked_text import CheckedText


class Action(Record):
    """A change of the text. `fixes` is the diagnostic that it fixes."""

    title: str
    edits: tuple[Edit, ...]
    fixes: Diagnostic | None = None
    safe: bool = True


def find_actions(checked: CheckedText, start: int, end: int) -> list[Action]:
    """Find the edits that fix the diagnostics touching a range, safe ones first."""
    touching = [d for d in checked.collect_diagnostics() if d.span.file is checked.source and d.span.start <= end and start <= d.span.end]
    results = [
        Action(_format_title(diagnostic), diagnostic.edits, diagnostic, all(edit.safe for edit in diagnostic.edits))
        for diagnostic in touching
        if diagnostic.edits
    ]
    return sorted(results, key=lambda action: not action.safe)


def fix_all(checked: CheckedText) -> Action | None:
    """Make one action of all safe edits; of edits that overlap, only the first one, as `netc check --fix` does."""
    edits = select_safe_edits(checked.source, checked.collect_diagnostics())
    return Action("Apply all safe edits", tuple(edits)) if edits else None


def make_format_edit(checked: CheckedText) -> Edit | None:
    """Make the edit that formats the text; None if it does not parse, or is formatted already. Lines end as the text's first line does."""
    formatted, _ = format_source(checked.source)
    if formatted is None:
        return None
    before = checked.source.text
    text = formatted.replace("\n", "\r\n") if before.partition("\n")[0].endswith("\r") else formatted
    if text == before:
        return None
    # Only the lines between the common beginning and end are replaced, so that the editor keeps the cursor and the folds elsewhere.
    start = _count_common_prefix(before, text)
    start -= _is_within_line_end(before, start)
    tail = _count_common_prefix(before[start:][::-1], text[start:][::-1])
    tail -= _is_within_line_end(before, len(before) - tail)
    return Edit(Span(checked.source, start, len(before) - tail), text[start : len(text) - tail])


def _count_common_prefix(text: str, other: str) -> int:
    """Count the characters that two texts have in common at their beginning."""
    shortest = min(len(text), len(other))
    return next((index for index in range(shortest) if text[index] != other[index]), shortest)


def _is_within_line_end(text: str, offset: int) -> bool:
    """Whether an offset is between `\\r` and `\\n`, where the protocol has no position."""
    return text[max(0, offset - 1) : offset + 1] == "\r\n"


def _format_title(diagnostic: Diagnostic) -> str:
    edit = diagnostic.edits[0]
    old, new = (edit.span.text or "").strip(), edit.text.strip()
    if len(diagnostic.edits) > 1 or "\n" in old + new or len(old + new) > 60:
        return diagnostic.help[0] if diagnostic.help else "Apply the suggested edit"
    if not old:
        return f"Insert `{new}`"
    return f"Replace `{old}` with `{new}`" if new else f"Remove `{old}`"
