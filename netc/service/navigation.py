"""Where names are defined and used, and how to give them another name.

In: a checked text and an offset. Out: spans, also in other files, whose names are their real paths; for another name, edits, or a
`RenameRefused` with the reason. Always: after a rename each name refers to what it referred to before, and there is no new error.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from netc.compiler.elaborate import CannotLoad
from netc.compiler.ir.types import BATCH
from netc.dsl import ast
from netc.dsl.diagnostics import Edit, applied
from netc.dsl.grammar import tables
from netc.dsl.source import Span

from ..reach import SUFFIX
from .checked import Checked
from .names import Definition, Occurrence
from .workspace import Workspace

MOST = 500
"""The files in which uses are looked for."""
_ELSEWHERE = ("block", "function", "let", "parameter", "tensor")


class RenameRefused(Exception):
    """The text says why a name cannot be changed."""


def definition(checked: Checked, offset: int) -> Span | None:
    """Where the name at an offset is bound; for the path of a `use`, the beginning of that file."""
    for item in checked.file.items:
        if isinstance(item, ast.Use) and item.path.span.start <= offset <= item.path.span.end:
            return _beginning(checked, item)
    found = checked.occurrence(offset)
    if found is not None and found.definition is not None:
        return found.definition.span
    label = checked.reference(offset)
    return label.definition if label is not None else None


def _beginning(checked: Checked, use: ast.Use) -> Span | None:
    try:
        source = checked.workspace.loader(checked.source, checked.path)(use.path.value, use.span.file)
    except CannotLoad:
        return None
    return Span(source, 0, 0)


def references(workspace: Workspace, checked: Checked, offset: int, declaration: bool = True) -> list[Span]:
    """Everything that refers to what the name at an offset refers to."""
    found = checked.occurrence(offset)
    if found is None or found.definition is None:
        return _of_label(checked, offset, declaration)
    spans = [one.span for one in _everywhere(workspace, checked, found.definition)]
    return [span for span in spans if declaration or not _same(span, found.definition.span)]


def _of_label(checked: Checked, offset: int, declaration: bool) -> list[Span]:
    """The same for a label, which only the compiler resolves."""
    found = checked.reference(offset)
    if found is None or found.definition is None:
        return []
    uses = [one.span for one in checked.references if one.definition == found.definition]
    return [span for span in uses if declaration or span != found.definition]


def _everywhere(workspace: Workspace, checked: Checked, wanted: Definition) -> list[Occurrence]:
    found = [one for one in checked.occurrences if one.definition is not None and _same(one.definition.span, wanted.span)]
    if wanted.kind not in _ELSEWHERE or (wanted.kind in ("parameter", "tensor") and not wanted.owner):
        return found
    home = os.path.realpath(wanted.span.file.name)
    for path in _files(workspace, os.path.dirname(home)):
        other = workspace.checked(path) if path != checked.path else None
        if other is not None and (path == home or any(isinstance(item, ast.Use) for item in other.file.items)):
            found += [one for one in other.occurrences if one.definition is not None and _same(one.definition.span, wanted.span)]
    return found


def _files(workspace: Workspace, folder: str) -> list[str]:
    """The open texts, and the files in a folder and below it."""
    found = dict.fromkeys(workspace.opened)
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "node_modules")
        found |= dict.fromkeys(os.path.realpath(os.path.join(where, name)) for name in sorted(names) if name.endswith(SUFFIX))
        if len(found) > MOST:
            break
    return list(found)[:MOST]


def _same(one: Span, other: Span) -> bool:
    return (one.start, one.end, one.file.name) == (other.start, other.end, other.file.name)


def renamable(checked: Checked, offset: int) -> Span:
    """The name at an offset, if it can have another one. Raises `RenameRefused`."""
    return _renamable(checked, offset).span


def _renamable(checked: Checked, offset: int) -> Occurrence:
    found = checked.occurrence(offset)
    if found is None:
        raise RenameRefused("there is no name here that can be changed")
    if found.definition is None:
        raise RenameRefused(f"`{found.name}` is not defined in a spec")
    if not checked.workspace.may_change(found.definition.span.file.name):
        raise RenameRefused(f"`{found.name}` is defined in {found.definition.span.file.name}, which is not yours to change")
    return found


def rename(workspace: Workspace, checked: Checked, offset: int, name: str) -> list[Edit]:
    """The edits that give the name at an offset another one, everywhere. Raises `RenameRefused`."""
    wanted = _renamable(checked, offset).definition
    assert wanted is not None
    if not name.isidentifier() or not name.isascii() or name in tables().keywords or name in (BATCH, "_"):
        raise RenameRefused(f"`{name}` cannot be a name")
    edits = [Edit(one.span, name) for one in _everywhere(workspace, checked, wanted)]
    _check(workspace, edits)
    return edits


def _check(workspace: Workspace, edits: list[Edit]) -> None:
    """Compares the texts before and after. Raises `RenameRefused`."""
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.span.file.name, []).append(edit)
    after = workspace.copy()
    for path, changes in by_file.items():
        after.open(path, applied(changes))
    for path, changes in by_file.items():
        before, then = workspace.checked(path), after.checked(path)
        if before is None or then is None or _links(before) != _links(then) or _errors(then) > _errors(before):
            raise RenameRefused(f"`{changes[0].text}` would mean something else in {os.path.basename(path)}")


def _links(checked: Checked) -> list[object]:
    """For each name, which one of all defines it: what a rename keeps."""
    names = checked.occurrences
    numbers = {(one.span.start, one.span.end): number for number, one in enumerate(names)}
    return [*_numbered(checked, numbers)]


def _numbered(checked: Checked, numbers: dict[tuple[int, int], int]) -> Iterator[object]:
    for one in checked.occurrences:
        if one.definition is None:
            yield one.name
        elif one.definition.span.file is checked.source:
            yield numbers.get((one.definition.span.start, one.definition.span.end))
        else:
            yield one.definition.span.file.name


def _errors(checked: Checked) -> int:
    return sum(one.severity == "error" for one in checked.diagnostics())
