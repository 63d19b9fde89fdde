"""Where names are defined and used, and how to give them another name.

In: a checked text and an offset. Out: spans, also in other files, whose names are their real paths; for another name, edits, or a
`RenameRefused` with the reason. Always: after a rename each name refers to what it referred to before, and there is no new error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import suppress

from netc.compiler.binding.name_scopes import Definition, Occurrence
from netc.compiler.elaborate import CannotLoad
from netc.compiler.types.tensor_types import BATCH
from netc.dsl import ast
from netc.dsl.diagnostics import Edit, apply_edits
from netc.dsl.grammar import load_tables
from netc.dsl.source import Span

from ..files.file_access import SUFFIX
from ..files.source_files import Unreadable
from .checked_text import Checked
from .workspace import Workspace

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
    found = _occurrences_in(checked, wanted)
    if wanted.kind not in _ELSEWHERE or (wanted.kind in ("parameter", "tensor") and not wanted.owner):
        return found
    return found + _elsewhere(workspace, checked, wanted, found)


def _elsewhere(workspace: Workspace, checked: Checked, wanted: Definition, found: list[Occurrence]) -> list[Occurrence]:
    """The occurrences in other files. A folder may have thousands of files, and to check one takes milliseconds. So only a file is checked
    that has the name in its text, or another name that a `use` gave it, and that uses a file with an occurrence."""
    home = os.path.realpath(wanted.span.file.name)
    texts = {path: workspace.text(path) for path in _files(workspace, os.path.dirname(home)) if path != checked.path}
    names, reached = {wanted.name, *(one.name for one in found)}, {home, checked.path}
    used: dict[str, set[str]] = {home: {home}}
    elsewhere: list[Occurrence] = []
    while True:
        word = re.compile("|".join(map(re.escape, sorted(names))))
        used |= {path: _used_files(workspace, path) for path, text in texts.items() if path not in used and word.search(text)}
        ready = [path for path in texts if not reached.isdisjoint(used.get(path, ()))]
        if not ready:
            return elsewhere
        for path in ready:
            del texts[path]
            other = workspace.checked(path)
            occurrences = [] if other is None else _occurrences_in(other, wanted)
            if occurrences:
                elsewhere += occurrences
                names |= {one.name for one in occurrences}
                reached.add(path)


def _used_files(workspace: Workspace, path: str) -> set[str]:
    """The real paths of the files that a file uses."""
    try:
        parsed = workspace.parsed(path)
    except Unreadable:
        return set()
    uses = [item for item in parsed.file.items if isinstance(item, ast.Use)]
    loader = workspace.loader(parsed.source, path)
    found = set()
    for use in uses:
        with suppress(CannotLoad):
            found.add(os.path.realpath(loader(use.path.value, use.span.file).name))
    return found


def _occurrences_in(checked: Checked, wanted: Definition) -> list[Occurrence]:
    return [one for one in checked.occurrences if one.definition is not None and _same(one.definition.span, wanted.span)]


def _files(workspace: Workspace, folder: str) -> list[str]:
    """The open texts, and the files in a folder and below it."""
    found = dict.fromkeys(workspace.opened)
    for where, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "node_modules")
        found |= dict.fromkeys(os.path.realpath(os.path.join(where, name)) for name in sorted(names) if name.endswith(SUFFIX))
    return list(found)


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
    if not name.isidentifier() or not name.isascii() or name in load_tables().keywords or name in (BATCH, "_"):
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
        after.open(path, apply_edits(changes))
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
