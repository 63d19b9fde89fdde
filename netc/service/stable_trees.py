"""Trees whose unchanged definitions stay the same objects while the text around them changes.

In: a parsed text. Out: the same tree, in which each `fn` and block is the node of an earlier tree if its text has not changed; the
positions in it are those in a `Segment`, its own text. Always: a definition that does not parse alone as it does in its place keeps the
node of its place.
"""

from __future__ import annotations

from collections.abc import Hashable

from netc.compiler.binding.file_names import FileNames
from netc.dsl import ast
from netc.dsl.diagnostics import CallSite, Diagnostic, Edit, Mark
from netc.dsl.grammar import load_tables
from netc.dsl.lexer import lex_text
from netc.dsl.parser import parse_source
from netc.dsl.record import Record, replace
from netc.dsl.source import SourceFile, Span

MAX_REMEMBERED = 400
"""The definitions that are remembered."""


class Segment(SourceFile):
    """The text of one definition."""


class StableTree(Record):
    """A tree with definitions in segments, and where each segment is in the text."""

    source: SourceFile
    file: ast.File
    places: dict[int, tuple[Segment, int]]

    def to_absolute(self, span: Span) -> Span | None:
        """A span in the text itself, or in another file; None for one in a text that is gone."""
        if span.file is self.source or not isinstance(span.file, Segment):
            return span
        place = self.places.get(id(span.file))
        return None if place is None else Span(self.source, place[1] + span.start, place[1] + span.end)

    def to_segment(self, span: Span) -> Span:
        """The reverse of `to_absolute`."""
        for segment, base in self.places.values():
            if base <= span.start and span.end <= base + len(segment.text):
                return Span(segment, span.start - base, span.end - base)
        return span

    def relocate_diagnostic(self, diagnostic: Diagnostic) -> Diagnostic:
        """A diagnostic with the positions in the text."""
        marks = tuple([Mark(span, mark.text) for mark in diagnostic.marks if (span := self.to_absolute(mark.span)) is not None])
        edits = tuple([Edit(span, edit.text, edit.safe) for edit in diagnostic.edits if (span := self.to_absolute(edit.span)) is not None])
        trace = tuple([CallSite(span, site.text) for site in diagnostic.trace if (span := self.to_absolute(site.span)) is not None])
        return replace(diagnostic, span=self.to_absolute(diagnostic.span) or Span(self.source, 0, 0), marks=marks, edits=edits, trace=trace)

    def find_closures(self, names: FileNames, imports: Hashable) -> dict[SourceFile, Hashable]:
        """For each segment of a block, all definitions that its names can lead to; `imports` is what the other files define."""
        blocks = [one for one in names.items if isinstance(one.item, ast.Block) and id(one.item.span.file) in self.places]
        return {one.item.span.file: (imports, names.reachable_nodes(one)) for one in blocks}


class StableTrees:
    """The definitions of one text that may occur in it again."""

    def __init__(self) -> None:
        self._known: dict[str, list[ast.Item]] = {}

    def make_tree(self, source: SourceFile, file: ast.File) -> StableTree:
        """The stable tree of a text."""
        if len(self._known) > MAX_REMEMBERED:
            self._known.clear()
        models = any(isinstance(item, ast.ModelDecl) for item in file.items)
        kept: tuple[type[ast.Node], ...] = (ast.Block, ast.Fn, ast.Let) if models else (ast.Block, ast.Fn)
        places: dict[int, tuple[Segment, int]] = {}
        used_counts: dict[str, int] = {}
        items = [self._reuse_item(item, source.name, places, used_counts) if isinstance(item, kept) else item for item in file.items]
        return StableTree(source, ast.File(file.span, tuple(items)), places)

    def _reuse_item(self, item: ast.Item, name: str, places: dict[int, tuple[Segment, int]], used_counts: dict[str, int]) -> ast.Item:
        text = item.span.text
        known = self._known.setdefault(text, [])
        number = used_counts[text] = used_counts.get(text, -1) + 1
        if number == len(known):
            known.append(_parse_alone(item, name))
        node = known[number]
        segment = node.span.file
        if not isinstance(segment, Segment):
            known.remove(node)
            return item
        places[id(segment)] = (segment, item.span.start)
        return node


def _parse_alone(item: ast.Item, name: str) -> ast.Item:
    """The definition parsed by itself, if that gives the same."""
    tokens, _ = lex_text(item.span.text, load_tables())
    segment = Segment(name, item.span.text)
    file, problems = parse_source(segment, tokens)
    same = not problems and len(file.items) == 1 and type(file.items[0]) is type(item) and file.items[0].span.end == len(segment.text)
    return file.items[0] if same else item
