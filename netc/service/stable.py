"""Trees whose unchanged definitions stay the same objects while the text around them changes.

In: a parsed text. Out: the same tree, in which each `fn` and block is the node of an earlier tree if its text has not changed; the
positions in it are those in a `Segment`, its own text. Always: a definition that does not parse alone as it does in its place keeps the
node of its place.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator
from itertools import takewhile

from netc.dsl import ast
from netc.dsl.diagnostics import CallSite, Diagnostic, Edit, Mark
from netc.dsl.grammar import tables
from netc.dsl.parser import parse
from netc.dsl.record import Record, replace
from netc.dsl.source import SourceFile, Span
from netc.dsl.tokens import Token, lex

MOST = 400
"""The definitions that are remembered."""


class Segment(SourceFile):
    """The text of one definition. `words` are the names in it."""

    def __init__(self, name: str, text: str, words: frozenset[str]) -> None:
        super().__init__(name, text)
        self.words = words


class StableTree(Record):
    """A tree with definitions in segments, and where each segment is in the text."""

    source: SourceFile
    file: ast.File
    tokens: tuple[Token, ...]
    places: dict[int, tuple[Segment, int]]

    def absolute(self, span: Span) -> Span | None:
        """A span in the text itself, or in another file; None for one in a text that is gone."""
        if span.file is self.source or not isinstance(span.file, Segment):
            return span
        place = self.places.get(id(span.file))
        return None if place is None else Span(self.source, place[1] + span.start, place[1] + span.end)

    def within(self, span: Span) -> Span:
        """The reverse of `absolute`."""
        for segment, base in self.places.values():
            if base <= span.start and span.end <= base + len(segment.text):
                return Span(segment, span.start - base, span.end - base)
        return span

    def diagnostic(self, one: Diagnostic) -> Diagnostic:
        """A diagnostic with the positions in the text."""
        marks = tuple([Mark(span, mark.text) for mark in one.marks if (span := self.absolute(mark.span)) is not None])
        edits = tuple([Edit(span, edit.text, edit.safe) for edit in one.edits if (span := self.absolute(edit.span)) is not None])
        trace = tuple([CallSite(span, site.text) for site in one.trace if (span := self.absolute(site.span)) is not None])
        return replace(one, span=self.absolute(one.span) or Span(self.source, 0, 0), marks=marks, edits=edits, trace=trace)

    def closures(self, imports: Hashable) -> dict[SourceFile, Hashable]:
        """For each segment of a block, all definitions that its names can lead to; `imports` is what the other files define."""
        named = {name.name: item for item in self.file.items for name in _names(item)}
        reached = {id(segment): segment for segment, _ in self.places.values()}
        found: dict[SourceFile, Hashable] = {}
        for item in self.file.items:
            if isinstance(item, ast.Block) and id(item.span.file) in reached:
                found[item.span.file] = (imports, self._closure(item, named))
        return found

    def _closure(self, item: ast.Item, named: dict[str, ast.Item]) -> frozenset[int]:
        """The identities of an item and of all that it can reach by names."""
        seen: dict[int, ast.Item] = {}
        stack = [item]
        while stack:
            one = stack.pop()
            if id(one) not in seen:
                seen[id(one)] = one
                stack += [named[word] for word in self._words(one) if word in named]
        return frozenset(seen)

    def _words(self, item: ast.Item) -> frozenset[str]:
        span = item.span
        if isinstance(span.file, Segment):
            return span.file.words
        first = bisect_left(self.tokens, span.start, key=lambda token: token.start)
        return _names_among(takewhile(lambda token: token.start < span.end, self.tokens[first:]))


def _names(item: ast.Item) -> Iterator[ast.Name]:
    match item:
        case ast.Block(name=name) | ast.Fn(name=name) | ast.Let(name=name) | ast.ModelDecl(name=name):
            yield name
        case ast.Broken(names=names):
            yield from names


def _names_among(tokens: Iterable[Token]) -> frozenset[str]:
    return frozenset([token.text for token in tokens if token.type == "NAME"])


class StableTrees:
    """The definitions of one text that may occur in it again."""

    def __init__(self) -> None:
        self._known: dict[str, list[ast.Item]] = {}

    def tree(self, source: SourceFile, file: ast.File, tokens: tuple[Token, ...]) -> StableTree:
        """The stable tree of a text."""
        if len(self._known) > MOST:
            self._known.clear()
        models = any(isinstance(item, ast.ModelDecl) for item in file.items)
        kept: tuple[type[ast.Node], ...] = (ast.Block, ast.Fn, ast.Let) if models else (ast.Block, ast.Fn)
        places: dict[int, tuple[Segment, int]] = {}
        taken: dict[str, int] = {}
        items = [self._stable(item, source.name, places, taken) if isinstance(item, kept) else item for item in file.items]
        return StableTree(source, ast.File(file.span, tuple(items)), tokens, places)

    def _stable(self, item: ast.Item, name: str, places: dict[int, tuple[Segment, int]], taken: dict[str, int]) -> ast.Item:
        text = item.span.text
        known = self._known.setdefault(text, [])
        number = taken[text] = taken.get(text, -1) + 1
        if number == len(known):
            known.append(_alone(item, name))
        found = known[number]
        segment = found.span.file
        if not isinstance(segment, Segment):
            known.remove(found)
            return item
        places[id(segment)] = (segment, item.span.start)
        return found


def _alone(item: ast.Item, name: str) -> ast.Item:
    """The definition parsed by itself, if that gives the same."""
    tokens, _ = lex(item.span.text, tables())
    segment = Segment(name, item.span.text, _names_among(tokens))
    file, problems = parse(segment, tokens)
    same = not problems and len(file.items) == 1 and type(file.items[0]) is type(item) and file.items[0].span.end == len(segment.text)
    return file.items[0] if same else item
