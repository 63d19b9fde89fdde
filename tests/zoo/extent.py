"""The text of a spec, as far as a model needs it: the other side of `reference`.

In: an entry. Out: how many lines define the model and whatever it names, in its file and in those that it uses.
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
    model = definition(entry)
    found: dict[tuple[str, str], Span] = {}
    waiting = [((entry.spec, entry.model), model.span if model else tree(entry.spec).span)]
    while waiting:
        place, span = waiting.pop()
        if place not in found:
            found[place] = span
            waiting += _named(place[0], span)
    if model is None:  # then the definitions of the file have been counted with it
        found = {place: span for place, span in found.items() if place[0] != entry.spec or place[1] == entry.model}
    return sum(1 for span in found.values() for line in span.text.splitlines() if line.strip() and not line.strip().startswith("#"))


def _named(spec: str, span: Span) -> Iterator[tuple[tuple[str, str], Span]]:
    """The definitions whose names stand in a part of a spec."""
    for word in set(_WORD.findall(span.text)):
        for place in [(file, word) for file in (spec, *_used(spec, word))]:
            if place in (known := _definitions(place[0])):
                yield place, known[place]


@cache
def _definitions(spec: str) -> dict[tuple[str, str], Span]:
    kinds = (ast.Fn, ast.Block, ast.Model, ast.Let)
    return {(spec, item.name.name): item.span for item in tree(spec).items if isinstance(item, kinds)}


def _used(spec: str, word: str) -> Iterator[str]:
    """The files that `word` may come from."""
    for use in (item for item in tree(spec).items if isinstance(item, ast.Use)):
        if not use.names or word in {name.name for name in use.names}:
            path = use.path.value
            yield path if path.startswith("std/") else str(PurePosixPath(spec).parent / path)
