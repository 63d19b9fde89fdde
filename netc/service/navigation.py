"""Find the definitions and references of names, and rename them.

In: a checked text and an offset. Out: spans, also in other files, whose names are their real paths; for a rename, edits, or a
`RenameRefused` with the reason. Always: after a rename, each name refers to the same definition as before, and there is no new error.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "x = input 3; x -> relu")
    >>> checked = workspace.check_text("/a.net")
    >>> find_definition(checked, 13), [str(span) for span in find_references(workspace, checked, 13)]
    (/a.net:1:1, ['/a.net:1:1', '/a.net:1:14'])
    >>> [edit.text for edit in make_rename(workspace, checked, 13, "image")]
    ['image', 'image']
"""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator

from netc.compiler.binding.declarations import declared_names
from netc.compiler.binding.name_scopes import Definition, Occurrence
from netc.compiler.elaborate import CannotLoad
from netc.compiler.types.tensor_types import BATCH
from netc.dsl import ast
from netc.dsl.diagnostics import Diagnostic, Edit, apply_edits
from netc.dsl.grammar import load_tables
from netc.dsl.source import Span
from netc.dsl.tree_walk import walk_nodes

from ..files.file_access import SUFFIX
from ..files.source_files import Unreadable
from .checked_text import CheckedText
from .imports import parse_used_files
from .workspace import Workspace

_SHARED_KINDS = ("block", "model", "function", "let")
"""The kinds of definitions that other files may import. Their parameters, and the tensors of a model, have names there too."""


class RenameRefused(Exception):
    """The name cannot be changed, and why."""


def find_definition(checked: CheckedText, offset: int) -> Span | None:
    """Find the definition of the name at an offset; for the path of a `use`, the beginning of its file."""
    for item in checked.file.items:
        if isinstance(item, ast.Use) and item.path.span.start <= offset <= item.path.span.end:
            return _find_file_start(checked, item)
    occurrence = checked.find_occurrence(offset)
    if occurrence is not None and occurrence.definition is not None:
        return occurrence.definition.span
    label = checked.find_reference(offset)
    return label.definition if label is not None else None


def _find_file_start(checked: CheckedText, use: ast.Use) -> Span | None:
    try:
        source = checked.workspace.make_loader(checked.source, checked.path)(use.path.value, use.span.file)
    except CannotLoad:
        return None
    return Span(source, 0, 0)


def find_references(workspace: Workspace, checked: CheckedText, offset: int, declaration: bool = True) -> list[Span]:
    """Find all references to the definition of the name at an offset."""
    occurrence = checked.find_occurrence(offset)
    if occurrence is None or occurrence.definition is None:
        return _find_label_references(checked, offset, declaration)
    spans = [found_occurrence.span for found_occurrence in _find_occurrences(workspace, checked, occurrence.definition)]
    return [span for span in spans if declaration or not _is_same_span(span, occurrence.definition.span)]


def _find_label_references(checked: CheckedText, offset: int, declaration: bool) -> list[Span]:
    """Find the references to a label, which only the compiler resolves."""
    label = checked.find_reference(offset)
    if label is None or label.definition is None:
        return []
    uses = [reference.span for reference in checked.references if reference.definition == label.definition]
    return [span for span in uses if declaration or span != label.definition]


def _find_occurrences(workspace: Workspace, checked: CheckedText, definition: Definition) -> list[Occurrence]:
    occurrences = _filter_occurrences(checked, definition)
    if definition.kind in _SHARED_KINDS or definition.owner or _is_tensor_of_model(checked, definition):
        return occurrences + _find_other_occurrences(workspace, checked, definition, occurrences)
    return occurrences


def _is_tensor_of_model(checked: CheckedText, definition: Definition) -> bool:
    """Whether a model of the text binds the name, which a train section in another file may use."""
    models = [item for item in checked.file.items if isinstance(item, ast.ModelDecl)]
    return any(statement is definition.node for model in models for statement in model.body.statements)


def _find_other_occurrences(
    workspace: Workspace, checked: CheckedText, definition: Definition, known_occurrences: list[Occurrence]
) -> list[Occurrence]:
    """Find the occurrences in other files."""
    # A folder may have thousands of files, and checking one takes milliseconds. So a file is checked only if its text contains the name (or
    # another name that a `use` gave it), and if it uses a file with an occurrence. Each such file may lead to further ones.
    defining_file = os.path.realpath(definition.span.file.name)
    texts = {path: workspace.read_text(path) for path in _list_files(workspace, os.path.dirname(defining_file)) if path != checked.path}
    names, reached = {definition.name, *(known.name for known in known_occurrences)}, {defining_file, checked.path}
    used: dict[str, set[str]] = {defining_file: {defining_file}}
    results: list[Occurrence] = []
    while True:
        word = re.compile("|".join(map(re.escape, sorted(names))))
        used |= {path: _list_used_files(workspace, path) for path, text in texts.items() if path not in used and word.search(text)}
        ready = [path for path in texts if not reached.isdisjoint(used.get(path, ()))]
        if not ready:
            return results
        for path in ready:
            del texts[path]
            checked_file = workspace.check_text(path)
            occurrences = [] if checked_file is None else _filter_occurrences(checked_file, definition)
            if occurrences:
                results += occurrences
                names |= {known.name for known in occurrences}
                reached.add(path)


def _list_used_files(workspace: Workspace, path: str) -> set[str]:
    """List the real paths of the files that a file uses, directly or through others, in which the name need not be."""
    try:
        parsed = workspace.parse_text(path)
    except Unreadable:
        return set()
    loader = workspace.make_loader(parsed.source, path)
    return {os.path.realpath(source.name) for source in parse_used_files(parsed.file, loader, workspace.parse_used)}


def _filter_occurrences(checked: CheckedText, definition: Definition) -> list[Occurrence]:
    spans = _list_state_spans(checked, definition) or [definition.span]
    return [
        occurrence
        for occurrence in checked.occurrences
        if occurrence.definition is not None and any(_is_same_span(occurrence.definition.span, span) for span in spans)
    ]


def _list_state_spans(checked: CheckedText, definition: Definition) -> list[Span]:
    """List the names that bind a state of a `scan`, if the definition is one of them: before the first step, and in each step. The language
    connects them by their name, so they are one name to a user."""
    if definition.kind != "tensor" or definition.span.file is not checked.source:
        return []
    for scan in (node for node in walk_nodes(checked.file) if isinstance(node, ast.Scan)):
        names = [name for node in (*scan.states, *scan.body.statements) for name in declared_names(node) if name.name == definition.name]
        is_state = any(state.name.name == definition.name for state in scan.states)
        if is_state and any(name.span is definition.span for name in names):
            return [name.span for name in names]
    return []


def _list_files(workspace: Workspace, folder: str) -> list[str]:
    """List the open texts, and the files in a folder and below it."""
    paths = dict.fromkeys(workspace.open_paths)
    for current_folder, folders, names in os.walk(folder):
        # `os.walk` does not enter folders that are removed from this list.
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__")) and name != "node_modules")
        paths |= dict.fromkeys(os.path.realpath(os.path.join(current_folder, name)) for name in sorted(names) if name.endswith(SUFFIX))
    return list(paths)


def _is_same_span(span: Span, other: Span) -> bool:
    return (span.start, span.end, span.file.name) == (other.start, other.end, other.file.name)


def find_renamable(checked: CheckedText, offset: int) -> Span:
    """Find the name at an offset if it can be renamed. Raises `RenameRefused`."""
    return _find_renamable_occurrence(checked, offset).span


def _find_renamable_occurrence(checked: CheckedText, offset: int) -> Occurrence:
    occurrence = checked.find_occurrence(offset)
    if occurrence is None:
        raise RenameRefused("there is no name here that can be changed")
    if occurrence.definition is None:
        raise RenameRefused(f"`{occurrence.name}` is not defined in a spec")
    if occurrence.definition.kind == "dimension" and occurrence.name == BATCH:
        raise RenameRefused(f"`{BATCH}` is the batch axis, which has no other name")
    if not checked.workspace.may_change(occurrence.definition.span.file.name):
        raise RenameRefused(f"`{occurrence.name}` is defined in {occurrence.definition.span.file.name}, which is not yours to change")
    return occurrence


def make_rename(workspace: Workspace, checked: CheckedText, offset: int, name: str) -> list[Edit]:
    """Make the edits that rename the name at an offset everywhere. Raises `RenameRefused`."""
    definition = _find_renamable_occurrence(checked, offset).definition
    assert definition is not None
    # `N` is always the batch, and `_` discards a result, so neither can be bound.
    if not name.isidentifier() or not name.isascii() or name in load_tables().keywords or name in (BATCH, "_"):
        raise RenameRefused(f"`{name}` cannot be a name")
    edits = [Edit(occurrence.span, name) for occurrence in _find_occurrences(workspace, checked, definition)]
    _check_rename(workspace, edits)
    return edits


def _check_rename(workspace: Workspace, edits: list[Edit]) -> None:
    """Compare the texts before and after a rename, rather than predict which names it may capture. Raises `RenameRefused`."""
    by_file: dict[str, list[Edit]] = {}
    for edit in edits:
        by_file.setdefault(edit.span.file.name, []).append(edit)
    after = workspace.copy_texts()
    for path, changes in by_file.items():
        after.open_text(path, apply_edits(changes))
    for path, changes in by_file.items():
        before, renamed = workspace.check_text(path), after.check_text(path)
        name, file = changes[0].text, os.path.basename(path)
        if before is None or renamed is None or _link_names(before) != _link_names(renamed):
            raise RenameRefused(f"`{name}` would mean something else in {file}")
        new_errors = _count_errors(renamed) - _count_errors(before)
        if new_errors:
            error = next(diagnostic for diagnostic in _iterate_errors(renamed) if diagnostic.code in new_errors)
            raise RenameRefused(f"the name `{name}` would be an error in {file}: {error.message}")


def _link_names(checked: CheckedText) -> list[object]:
    """Return the definition of each name in a form that a rename does not change: by the number of the occurrence."""
    names = checked.occurrences
    numbers = {(name.span.start, name.span.end): number for number, name in enumerate(names)}
    return [*_iterate_links(checked, numbers)]


def _iterate_links(checked: CheckedText, numbers: dict[tuple[int, int], int]) -> Iterator[object]:
    for occurrence in checked.occurrences:
        if occurrence.definition is None:
            yield occurrence.name
        elif occurrence.definition.span.file is checked.source:
            yield numbers.get((occurrence.definition.span.start, occurrence.definition.span.end))
        else:
            yield occurrence.definition.span.file.name


def _count_errors(checked: CheckedText) -> Counter[str]:
    """Count the errors by code: a rename must not put one error in the place of another."""
    return Counter(diagnostic.code for diagnostic in _iterate_errors(checked))


def _iterate_errors(checked: CheckedText) -> Iterator[Diagnostic]:
    # the sections too: a `loss`, and the patterns of parameters in settings, are names that only a section reads
    diagnostics = checked.collect_diagnostics(checked.check_sections())
    return (diagnostic for diagnostic in diagnostics if diagnostic.severity == "error")
