"""Find the visible names at an offset of a text that does not parse.

In: a checked text and the context of an offset. Out: a scope. Always: if a bracket is missing, the tree may have lost the block around the
offset. So the text up to the current statement is parsed again with its brackets closed, and the deeper of the two scopes is used.

    >>> from .context import find_context
    >>> from .workspace import Workspace
    >>> workspace, text = Workspace(), "block layer(width) { in -> dense (wi"
    >>> workspace.open_text("/a.net", text)
    >>> sorted(find_scope(workspace.check_text("/a.net"), find_context(text, len(text))).visible_names(len(text)))
    ['layer', 'width']
"""

from __future__ import annotations

from netc.compiler.binding.file_names import bind_file
from netc.compiler.binding.name_scopes import NameScope
from netc.dsl.parser import parse_source
from netc.dsl.source import SourceFile

from .checked_text import CheckedText
from .context import Context
from .imports import Importer

_CLOSERS = {"LPAR": ")", "LBRACK": "]", "LBRACE": "}"}


def find_scope(checked: CheckedText, context: Context) -> NameScope:
    """Find the scope of the word that is typed."""
    if not checked.problems:
        return checked.names.top.scope_at(context.start)
    closers: list[str] = []
    end = 0
    for token in context.before:
        if token.type in _CLOSERS:
            closers.append(_CLOSERS[token.type])
        elif token.text in ")]}" and closers:
            closers.pop()
        if token.type in ("LBRACE", "NL", "SEMICOLON"):
            end, open_count = token.end, len(closers)
    if not end:
        return checked.names.top.scope_at(context.start)
    # The current statement itself is left out: it is what is being typed, and rarely parses.
    text = checked.source.text[:end] + "\n" + "".join(reversed(closers[:open_count]))
    source = SourceFile(checked.source.name, text)
    importer = Importer(checked.workspace.make_loader(source, checked.path), checked.workspace.parse_used)
    repaired = bind_file(parse_source(source)[0], importer).top.scope_at(end)
    tree_scope = checked.names.top.scope_at(context.start)
    return repaired if _measure_depth(repaired) >= _measure_depth(tree_scope) else tree_scope


def _measure_depth(scope: NameScope) -> int:
    return 0 if scope.parent is None else 1 + _measure_depth(scope.parent)
