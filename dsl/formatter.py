"""The formatter: `format_source`.

In: a text. Out: the text in the canonical style, or None and the diagnostics if it does not parse. Always: the result has the same tokens
and comments in the same order, parses to the same tree, and formats to itself.

The style: two spaces a level, one space between tokens, none around the `=` of an argument, at most one empty line. A statement stays on
one line if it fits and the text has no line break before an arrow; otherwise every arrow begins a line, and brackets that are still
too wide are broken over several lines.
"""

from __future__ import annotations

from .diagnostics.model import Diagnostic
from .format_spacing import join, needs_space, spaced_equals, word
from .format_tree import Braces, BracketText, Item, Leaf, group
from .parser import parse
from .source import SourceFile

WIDTH = 100
INDENT = 2


def format_source(source: SourceFile) -> tuple[str | None, list[Diagnostic]]:
    """The text in the canonical style; None if there is any diagnostic."""
    _, problems = parse(source)
    if problems:
        return None, problems
    root = group(source)
    lines = _Printer(source.text).body(root, 0)
    return "\n".join(lines) + "\n", []


class _Printer:
    def __init__(self, text: str) -> None:
        self.text = text

    # --- bodies -------------------------------------------------------------------------------------------------------

    def body(self, braces: Braces, indent: int) -> list[str]:
        lines: list[str] = []
        pad = " " * indent
        for statement in braces.statements:
            self._comments(statement.above, lines, pad)
            if statement.blank and lines:
                lines.append("")
            spaced_equals(statement.items)
            first, *more = self._pipeline(statement.items, indent)
            lines += [pad + first, *more]
        self._comments(braces.closing, lines, pad)
        return lines

    def _comments(self, comments: list[tuple[str, bool]], lines: list[str], pad: str) -> None:
        for comment, blank in comments:
            if blank and lines:
                lines.append("")
            lines.append(pad + comment)

    # --- one line -----------------------------------------------------------------------------------------------------

    def _flat(self, items: list[Item]) -> str | None:
        """The items on one line, or None if a comment or a body in them needs more. Comments after the last are left to the caller."""
        words: list[tuple[Leaf, str]] = []
        if not self._flatten(items, words) or any(leaf.commented for leaf, _ in words[:-1]):
            return None
        return None if words and words[-1][0].below else join(words)

    def _flatten(self, items: list[Item], words: list[tuple[Leaf, str]]) -> bool:
        for item in items:
            if isinstance(item, Leaf):
                words.append((item, word(item)))
                continue
            words.append((item.open, item.open.token.text))
            if isinstance(item, BracketText):
                if not self._flatten(item.items, words):
                    return False
            elif not self._flatten_braces(item, words):
                return False
            words.append((item.close, item.close.token.text))
        return True

    def _flatten_braces(self, braces: Braces, words: list[tuple[Leaf, str]]) -> bool:
        if not braces.inline or len(braces.statements) > 1 or braces.closing:
            return False
        for statement in braces.statements:
            spaced_equals(statement.items)
            if statement.above or not self._flatten(statement.items, words):
                return False
        return True

    # --- several lines ------------------------------------------------------------------------------------------------

    def _pipeline(self, items: list[Item], indent: int) -> list[str]:
        """The items laid out from `indent` on; the first line comes without its indentation."""
        parts = _split_at_arrows(items)
        if len(parts) == 1 or not self._arrow_begins_line(parts):
            lines, opened = self._run(items, indent, indent + INDENT)
            if len(parts) == 1 or (not opened and all(len(line) <= WIDTH for line in [" " * indent + lines[0], *lines[1:]])):
                return lines
        lines, _ = self._run(parts[0], indent, indent + INDENT)
        for part in parts[1:]:
            inner, _ = self._run(part, indent + INDENT, indent + 2 * INDENT)
            lines += [" " * (indent + INDENT) + inner[0], *inner[1:]]
        return lines

    def _arrow_begins_line(self, parts: list[list[Item]]) -> bool:
        for part in parts[1:]:
            arrow = part[0]
            assert isinstance(arrow, Leaf)
            at = arrow.token.start
            if self.text[self.text.rfind("\n", 0, at) + 1 : at].isspace() or self.text[at - 1 : at] == "\n":
                return True
        return False

    def _run(self, items: list[Item], indent: int, deeper: int) -> tuple[list[str], bool]:
        """Items without line breaks between them; the contents of brackets and bodies are put on lines of their own where needed. The
        second result: whether brackets were broken, or a comment ended the line."""
        flat = self._flat(items)
        if flat is not None and indent + len(flat) <= WIDTH:
            return [flat + "".join(f"  {comment}" for comment in _last_leaf(items).trailing)], False
        pen = _Pen(indent, deeper)
        for item in items:
            if isinstance(item, Leaf):
                pen.write(item)
            elif isinstance(item, BracketText):
                self._bracket(item, pen)
            else:
                self._braces(item, pen)
        return pen.finish(), pen.opened

    def _bracket(self, bracket: BracketText, pen: _Pen) -> None:
        flat = self._flat([bracket])
        if (flat is not None and pen.room(flat)) or not (bracket.items or bracket.open.commented):
            pen.write_flat(bracket, flat or bracket.open.token.text + bracket.close.token.text)
            return
        pen.write(bracket.open)
        indent = pen.base + INDENT
        lines: list[str] = []
        for piece, comma in _split_at_commas(bracket.items):
            made = self._pipeline(piece, indent)
            lines += [" " * indent + made[0], *made[1:]]
            if comma is not None:
                lines = _with_comma(lines, piece, comma, indent)
        pen.open_lines(lines)
        pen.write(bracket.close)

    def _braces(self, braces: Braces, pen: _Pen) -> None:
        flat = self._flat([braces])
        if (flat is not None and pen.room(flat)) or not (braces.statements or braces.closing or braces.open.commented):
            pen.write_flat(braces, flat or "{ }")
            return
        pen.write(braces.open)
        pen.break_lines(self.body(braces, pen.base + INDENT))
        pen.write(braces.close)


class _Pen:
    """Writes tokens on the current line; `base` is the indentation of the line it began on, `deeper` that of a line continued."""

    def __init__(self, indent: int, deeper: int) -> None:
        self.base = indent
        self.deeper = deeper
        self.lines: list[str] = []
        self.current = ""
        self.pad = ""
        self.indent = indent
        self.previous: Leaf | None = None
        self.opened = False

    def room(self, text: str) -> bool:
        return self.indent + len(self.current) + 1 + len(text) <= WIDTH

    def write(self, leaf: Leaf) -> None:
        self._put(leaf, word(leaf))
        self._comments(leaf)

    def write_flat(self, group: BracketText | Braces, text: str) -> None:
        self._put(group.open, text)
        self.previous = group.close
        self._comments(group.close)

    def _put(self, leaf: Leaf, text: str) -> None:
        if self.previous is not None and self.previous.commented:
            self.opened = True
        space = self.current and self.previous is not None and needs_space(self.previous, leaf)
        self.current += (" " if space else "") + text
        self.previous = leaf

    def _comments(self, leaf: Leaf) -> None:
        if not leaf.commented:
            return
        self._end_line("".join(f"  {comment}" for comment in leaf.trailing), self.deeper)
        self.lines += [" " * self.deeper + comment for comment in leaf.below]

    def _end_line(self, more: str, indent: int) -> None:
        if self.current or more:
            self.lines.append(self.pad + self.current + more)
        self.current = ""
        self.indent = indent
        self.pad = " " * indent

    def open_lines(self, lines: list[str]) -> None:
        self.opened = True
        self.break_lines(lines)

    def break_lines(self, lines: list[str]) -> None:
        self._end_line("", self.base)
        self.lines += lines
        self.indent, self.pad = self.base, " " * self.base

    def finish(self) -> list[str]:
        self._end_line("", self.base)
        return self.lines


def _split_at_arrows(items: list[Item]) -> list[list[Item]]:
    parts: list[list[Item]] = [[]]
    for item in items:
        if isinstance(item, Leaf) and item.token.type == "ARROW" and parts[-1]:
            parts.append([])
        parts[-1].append(item)
    return parts


def _split_at_commas(items: list[Item]) -> list[tuple[list[Item], Leaf | None]]:
    pieces: list[tuple[list[Item], Leaf | None]] = []
    piece: list[Item] = []
    for item in items:
        if isinstance(item, Leaf) and item.token.type == "COMMA":
            pieces.append((piece, item))
            piece = []
        else:
            piece.append(item)
    if piece:
        pieces.append((piece, None))
    return pieces


def _last_leaf(items: list[Item]) -> Leaf:
    last = items[-1]
    return last if isinstance(last, Leaf) else last.close


def _with_comma(lines: list[str], piece: list[Item], comma: Leaf, indent: int) -> list[str]:
    """The lines of a member with its comma, which must not follow a comment."""
    pad = " " * indent
    lines = [*lines, pad + ","] if _last_leaf(piece).commented else [*lines[:-1], lines[-1] + ","]
    lines[-1] += "".join(f"  {comment}" for comment in comma.trailing)
    return lines + [pad + comment for comment in comma.below]
