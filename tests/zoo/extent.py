"""The text of a spec, as far as a model needs it: the other side of `reference`.

In: an entry. Out: the number of lines that define the model and everything it names, in its file and in the imported ones.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import PurePosixPath

from zoo.catalogue import Entry, definition, tree

from netc.dsl import ast
from netc.dsl.source import Span

_WORD = re.compile(r"\w+")


def lines(entry: Entry) -> int:
    """Lines that are neither blank nor a comment."""
    return sum(1 for text in texts(entry) for line in text.splitlines() if line.strip() and not line.strip().startswith("#"))


def texts(entry: Entry) -> list[str]:
    """The definitions."""
    model = definition(entry)
    found: dict[tuple[str, str], Span] = {}
    waiting = [((entry.spec, entry.model), model.span if model else tree(entry.spec).span)]
    while waiting:
        key, span = waiting.pop()
        if key not in found:
            found[key] = span
            waiting += _named(key[0], span)
    if model is None:  # then the definitions of the file have been counted with it
        found = {key: span for key, span in found.items() if key[0] != entry.spec or key[1] == entry.model}
    return [span.text for span in found.values()]


def _named(spec: str, span: Span) -> Iterator[tuple[tuple[str, str], Span]]:
    """The definitions whose names occur in a part of a spec."""
    for word in set(_WORD.findall(span.text)):
        for key in [(file, word) for file in (spec, *_used(spec, word))]:
            if key in (known := _definitions(key[0])):
                yield key, known[key]


@cache
def _definitions(spec: str) -> dict[tuple[str, str], Span]:
    kinds = (ast.Fn, ast.Block, ast.ModelDecl, ast.Let)
    return {(spec, item.name.name): item.span for item in tree(spec).items if isinstance(item, kinds)}


def _used(spec: str, word: str) -> Iterator[str]:
    """The files that `word` may come from."""
    for use in (item for item in tree(spec).items if isinstance(item, ast.Use)):
        if not use.names or word in {name.name for name in use.names}:
            path = use.path.value
            yield path if path.startswith("std/") else str(PurePosixPath(spec).parent / path)
