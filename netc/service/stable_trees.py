"""Keep the nodes of unchanged definitions while the text around them changes, so that caches by node stay valid.

In: a parsed text. Out: the same tree, in which each `fn` and block is the node of an earlier tree if its text has not changed. Its
positions are relative to a `Segment`, its own text. Always: a definition that parses differently alone than in its place keeps the node of
its place.

    >>> trees = StableTrees()
    >>> texts = [f"block layer(n) {{ in -> dense n }}; input 3 -> layer {units}" for units in (8, 16)]
    >>> sources = [SourceFile("<text>", text) for text in texts]
    >>> before, after = (trees.make_tree(source, parse_source(source)[0]).file for source in sources)
    >>> before.items[0] is after.items[0], before.items[1] is after.items[1]
    (True, False)
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
"""The number of definitions that are remembered."""


class Segment(SourceFile):
    """The text of one definition."""


class StableTree(Record):
    """A tree with definitions in segments, and the offset of each segment in the text."""

    source: SourceFile
    file: ast.File
    places: dict[int, tuple[Segment, int]]

    def to_absolute(self, span: Span) -> Span | None:
        """Map a span in a segment to the text; spans in other files stay. None for a segment that is no longer in the text."""
        if span.file is self.source or not isinstance(span.file, Segment):
            return span
        place = self.places.get(id(span.file))
        return None if place is None else Span(self.source, place[1] + span.start, place[1] + span.end)

    def to_segment(self, span: Span) -> Span:
        """Map a span in the text to its segment, the reverse of `to_absolute`."""
        for segment, base in self.places.values():
            if base <= span.start and span.end <= base + len(segment.text):
                return Span(segment, span.start - base, span.end - base)
        return span

    def relocate_diagnostic(self, diagnostic: Diagnostic) -> Diagnostic:
        """Map the spans of a diagnostic to the text."""
        marks = tuple([Mark(span, mark.text) for mark in diagnostic.marks if (span := self.to_absolute(mark.span)) is not None])
        edits = tuple([Edit(span, edit.text, edit.safe) for edit in diagnostic.edits if (span := self.to_absolute(edit.span)) is not None])
        trace = tuple([CallSite(span, site.text) for site in diagnostic.trace if (span := self.to_absolute(site.span)) is not None])
        return replace(diagnostic, span=self.to_absolute(diagnostic.span) or Span(self.source, 0, 0), marks=marks, edits=edits, trace=trace)

    def find_closures(self, names: FileNames, imports: Hashable) -> dict[SourceFile, Hashable]:
        """Return a key for each block: all definitions that its names can reach, and `imports`, the definitions of other files. A cached
        result for a block is valid as long as its key is equal."""
        blocks = [block for block in names.items if isinstance(block.item, ast.Block) and id(block.item.span.file) in self.places]
        return {block.item.span.file: (imports, names.reachable_nodes(block)) for block in blocks}


class StableTrees:
    """Remembers the definitions of one text."""

    def __init__(self) -> None:
        self._known: dict[str, list[ast.Item]] = {}

    def make_tree(self, source: SourceFile, file: ast.File) -> StableTree:
        """Make the stable tree of a text."""
        # Cleared at once: most entries are older versions of definitions, one for each key that was typed.
        if len(self._known) > MAX_REMEMBERED:
            self._known.clear()
        models = any(isinstance(item, ast.ModelDecl) for item in file.items)
        kept_kinds: tuple[type[ast.Node], ...] = (ast.Block, ast.Fn, ast.Let) if models else (ast.Block, ast.Fn)
        places: dict[int, tuple[Segment, int]] = {}
        used_counts: dict[str, int] = {}
        items = [self._reuse_item(item, source.name, places, used_counts) if isinstance(item, kept_kinds) else item for item in file.items]
        return StableTree(source, ast.File(file.span, tuple(items)), places)

    def _reuse_item(self, item: ast.Item, name: str, places: dict[int, tuple[Segment, int]], used_counts: dict[str, int]) -> ast.Item:
        text = item.span.text
        known = self._known.setdefault(text, [])
        # Two definitions with the same text are two nodes: the n-th occurrence reuses the n-th node.
        number = used_counts[text] = used_counts.get(text, -1) + 1
        if number == len(known):
            known.append(_parse_alone(item, name))
        node = known[number]
        segment = node.span.file
        # It does not parse alone, so this node is valid only at its place.
        if not isinstance(segment, Segment):
            known.remove(node)
            return item
        places[id(segment)] = (segment, item.span.start)
        return node


def _parse_alone(item: ast.Item, name: str) -> ast.Item:
    """Parse a definition alone; return the given node if the result differs."""
    tokens, _ = lex_text(item.span.text, load_tables())
    segment = Segment(name, item.span.text)
    file, problems = parse_source(segment, tokens)
    same = not problems and len(file.items) == 1 and type(file.items[0]) is type(item) and file.items[0].span.end == len(segment.text)
    return file.items[0] if same else item
