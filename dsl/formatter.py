r"""The formatter: `format_source` lays a text out in the canonical style.

It returns the formatted text, or None and the diagnostics if the text does not parse. The result has the same tokens and comments in the
same order, parses to the same tree, and formats to itself.

    >>> format_source(SourceFile("<text>", "input   3->dense 2  sigmoid"))
    ('input 3 -> dense 2 sigmoid\n', [])

The style: two spaces a level, one space between tokens, none around the `=` of an argument, at most one empty line. A statement stays on
one line if it fits and the text has no line break before an arrow; otherwise every arrow begins a line, and brackets that are still
too wide are broken over several lines. If a line is still wider than 120 columns, because of the text after its brackets, its widest
bracket is broken. Inside brackets, a stage with many arguments continues on the next line. Outside, a line break would end the statement.
"""

from __future__ import annotations

from .diagnostics.diagnostic import Diagnostic
from .format_spacing import join_words, leaf_text, needs_space, retype_for_spacing
from .format_tree import Braces, BracketText, Item, Leaf, group_tokens
from .parser import parse_source
from .source import SourceFile

WIDTH = 100
MAX_WIDTH = 120
"""The greatest width of a line that can be broken."""
INDENT = 2
_MAY_BEGIN = frozenset(
    (
        *("NAME", "NUMBER", "DIMS", "STRING", "LABEL", "NAME_AFTER", "LPAR", "LPAR_FLOW", "LBRACK", "TRUE", "FALSE"),
        *("PLUS", "MINUS", "TIMES", "AT", "POWER", "COMPARE", "AND", "OR", "IF", "ELSE", "FOR"),
    )
)
"""The tokens that may begin a line in brackets."""

_DEFINITIONS = frozenset(("BLOCK", "MODEL", "FN", "TRAIN"))


def format_source(source: SourceFile) -> tuple[str | None, list[Diagnostic]]:
    """The text in the canonical style; None if there is any diagnostic."""
    _, problems = parse_source(source)
    if problems:
        return None, problems
    root = group_tokens(source)
    lines = _Printer(source.text).print_body(root, 0)
    return "\n".join(lines) + "\n", []


class _Printer:
    def __init__(self, text: str) -> None:
        self.text = text

    # --- bodies -------------------------------------------------------------------------------------------------------

    def print_body(self, braces: Braces, indent: int) -> list[str]:
        lines: list[str] = []
        pad = " " * indent
        for statement in braces.statements:
            self._print_comments(statement.above, lines, pad)
            if statement.blank and lines:
                lines.append("")
            retype_for_spacing(statement.items)
            first, *more = self._print_pipeline(statement.items, indent)
            lines += [pad + first, *more]
        self._print_comments(braces.closing, lines, pad)
        return lines

    def _print_comments(self, comments: list[tuple[str, bool]], lines: list[str], pad: str) -> None:
        for comment, blank in comments:
            if blank and lines:
                lines.append("")
            lines.append(pad + comment)

    # --- one line -----------------------------------------------------------------------------------------------------

    def _flat_text(self, items: list[Item]) -> str | None:
        """The items on one line, or None if a comment or a body in them needs more. Comments after the last are left to the caller."""
        words: list[tuple[Leaf, str]] = []
        if not self._flatten_items(items, words) or any(leaf.has_comments for leaf, _ in words[:-1]):
            return None
        return None if words and words[-1][0].below else join_words(words)

    def _flatten_items(self, items: list[Item], words: list[tuple[Leaf, str]]) -> bool:
        for item in items:
            if isinstance(item, Leaf):
                words.append((item, leaf_text(item)))
                continue
            words.append((item.open, item.open.token.text))
            if isinstance(item, BracketText):
                if not self._flatten_items(item.items, words):
                    return False
            elif not self._flatten_braces(item, words):
                return False
            words.append((item.close, item.close.token.text))
        return True

    def _flatten_braces(self, braces: Braces, words: list[tuple[Leaf, str]]) -> bool:
        if not braces.inline or len(braces.statements) > 1 or braces.closing:
            return False
        for statement in braces.statements:
            retype_for_spacing(statement.items)
            if statement.above or not self._flatten_items(statement.items, words):
                return False
        return True

    # --- several lines ------------------------------------------------------------------------------------------------

    def _print_pipeline(self, items: list[Item], indent: int, inside: bool = False) -> list[str]:
        """The items laid out from `indent` on; the first line comes without its indentation. `inside`: brackets are around them, in which
        a line may end anywhere."""
        parts = _split_at_arrows(items)
        if len(parts) == 1 or not self._arrow_begins_line(parts):
            lines, opened = self._print_run(items, indent, indent + INDENT, inside and len(parts) == 1)
            if len(parts) == 1 or (not opened and all(len(line) <= WIDTH for line in [" " * indent + lines[0], *lines[1:]])):
                return lines
        lines, _ = self._print_run(parts[0], indent, indent + INDENT, inside)
        for part in parts[1:]:
            inner, _ = self._print_run(part, indent + INDENT, indent + 2 * INDENT, inside)
            lines += [" " * (indent + INDENT) + inner[0], *inner[1:]]
        return lines

    def _arrow_begins_line(self, parts: list[list[Item]]) -> bool:
        for part in parts[1:]:
            arrow = part[0]
            assert isinstance(arrow, Leaf)
            position = arrow.token.start
            # The author broke the line at an arrow: the layout keeps that choice, and only that one.
            if self.text[self.text.rfind("\n", 0, position) + 1 : position].isspace() or self.text[position - 1 : position] == "\n":
                return True
        return False

    def _print_run(self, items: list[Item], indent: int, deeper: int, inside: bool) -> tuple[list[str], bool]:
        """Items without line breaks between them, unless they are `inside` brackets; the contents of brackets and bodies are put on lines
        of their own where needed. The second result: whether brackets were broken, or a comment ended the line."""
        flat = self._flat_text(items)
        if flat is not None and indent + len(flat) <= WIDTH:
            return [flat + "".join(f"  {comment}" for comment in _last_leaf(items).trailing)], False
        pen = _Pen(indent, deeper, inside)
        pen.defines = bool(items) and isinstance(items[0], Leaf) and items[0].token.type in _DEFINITIONS
        # Inside brackets a line may end anywhere, and at arrows a line ends anyway: only a flat run needs a bracket to break.
        broken = set() if inside or any(_is_arrow(item) for item in items[1:]) else self._brackets_to_break(items, pen)
        for index, item in enumerate(items):
            pen.ahead = self._joined_width(items, index) if inside else 0
            if isinstance(item, Leaf):
                pen.write_leaf(item)
            elif isinstance(item, BracketText):
                self._print_bracket(item, pen, index in broken)
            else:
                self._print_braces(item, pen, index in broken)
        return pen.finish_lines(), pen.has_opened

    def _joined_width(self, items: list[Item], index: int) -> int:
        """The width of the text that follows an item without a space, so that no line can end before it; a lower bound, if it is long."""
        width = 0
        for following in range(index + 1, len(items)):
            item = items[following]
            if width > MAX_WIDTH or needs_space(
                _last_leaf(items[following - 1 : following]), item if isinstance(item, Leaf) else item.open
            ):
                break
            text = leaf_text(item) if isinstance(item, Leaf) else self._flat_text([item])
            if text is None or (len(text) > WIDTH // 2 and not isinstance(item, Leaf)):
                # A lower bound is enough: the caller asks only whether the line is too long.
                return width + 1  # brackets that are broken
            width += len(text)
        return width

    def _brackets_to_break(self, items: list[Item], pen: _Pen) -> set[int]:
        """The indices of the brackets to break although they fit into their lines, because the text after them does not."""
        broken: set[int] = set()
        fitting: dict[int, int] = {}
        column, index, previous = pen.base, 0, None
        while index < len(items):
            item = items[index]
            first, last = (item, item) if isinstance(item, Leaf) else (item.open, item.close)
            flat = leaf_text(item) if isinstance(item, Leaf) else self._flat_text([item])
            column += previous is not None and needs_space(previous, first)
            if isinstance(item, Leaf) or (flat is not None and column + len(flat) <= WIDTH):
                column += len(flat or "")
                if not isinstance(item, Leaf) and not _is_empty(item):
                    fitting[index] = len(flat or "")
                after = column
            else:
                column, after = column + 1, pen.base + 1
            if column > MAX_WIDTH and fitting:
                # The widest bracket makes the most room, so that as few as possible are broken.
                index = max(fitting, key=lambda candidate: (fitting[candidate], candidate))
                broken.add(index)
                last, after = _last_leaf([items[index]]), pen.base + 1
            if last.has_comments or after != column:
                fitting = {}
            column, previous, index = pen.deeper if last.has_comments else after, last, index + 1
        return broken

    def _print_bracket(self, bracket: BracketText, pen: _Pen, broken: bool) -> None:
        flat = None if broken else self._flat_text([bracket])
        if flat is not None and pen.inside and not pen.has_room(flat) and pen.deeper + len(flat) <= WIDTH and _is_single(bracket):
            pen.continue_line(bracket.open)
        if (flat is not None and pen.has_room(flat)) or not (bracket.items or bracket.open.has_comments):
            pen.write_flat(bracket, flat or bracket.open.token.text + bracket.close.token.text)
            return
        pen.write_leaf(bracket.open)
        indent = pen.base + INDENT
        # Arguments that fit into one line stay together. Parameters of a definition, and pipelines in a tuple, have lines of their own.
        contents = self._flat_text(bracket.items) if bracket.items and (broken or not (pen.defines or _has_pipeline(bracket))) else None
        if contents is not None and indent + len(contents) <= WIDTH and not _last_leaf(bracket.items).has_comments:
            pen.open_lines([" " * indent + contents])
            pen.write_leaf(bracket.close)
            return
        lines: list[str] = []
        for piece, comma in _split_at_commas(bracket.items):
            inner = self._print_pipeline(piece, indent, inside=True)
            lines += [" " * indent + inner[0], *inner[1:]]
            if comma is not None:
                lines = _with_comma(lines, piece, comma, indent)
        pen.open_lines(lines)
        pen.write_leaf(bracket.close)

    def _print_braces(self, braces: Braces, pen: _Pen, broken: bool) -> None:
        flat = None if broken else self._flat_text([braces])
        if (flat is not None and pen.has_room(flat)) or not (braces.statements or braces.closing or braces.open.has_comments):
            pen.write_flat(braces, flat or "{ }")
            return
        pen.write_leaf(braces.open)
        pen.break_lines(self.print_body(braces, pen.base + INDENT))
        pen.write_leaf(braces.close)


class _Pen:
    """Writes tokens on the current line. `base` is the indentation of its first line, and `deeper` the indentation of continued lines. If
    it is `inside` brackets, it continues a full line on the next one."""

    def __init__(self, indent: int, deeper: int, inside: bool) -> None:
        self.inside = inside
        self.defines = False
        """Whether the line defines a block, a model or a function."""
        self.ahead = 0
        """The width of the text that cannot be divided from the next token by a line break."""
        self.base = indent
        self.deeper = deeper
        self.lines: list[str] = []
        self.current = ""
        self.pad = ""
        self.indent = indent
        self.previous: Leaf | None = None
        self.has_opened = False

    def has_room(self, text: str) -> bool:
        return self.indent + len(self.current) + 1 + len(text) <= WIDTH

    def write_leaf(self, leaf: Leaf) -> None:
        self._put_text(leaf, leaf_text(leaf))
        self._write_comments(leaf)

    def write_flat(self, group: BracketText | Braces, text: str) -> None:
        self._put_text(group.open, text)
        self.previous = group.close
        self._write_comments(group.close)

    def _put_text(self, leaf: Leaf, text: str) -> None:
        if self.previous is not None and self.previous.has_comments:
            self.has_opened = True
        if self.inside and self.indent + len(self.current) + 1 + len(text) + self.ahead >= MAX_WIDTH:
            self.continue_line(leaf)
        space = self.current and self.previous is not None and needs_space(self.previous, leaf)
        self.current += (" " if space else "") + text
        self.previous = leaf

    def continue_line(self, leaf: Leaf) -> None:
        """Starts a new line with this token, if a line may begin with it."""
        previous = self.previous
        if not self.current or previous is None or previous.token.type == "ARROW" or leaf.token.type not in _MAY_BEGIN:
            return
        if needs_space(previous, leaf):
            self._end_line("", self.deeper)

    def _write_comments(self, leaf: Leaf) -> None:
        if not leaf.has_comments:
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
        self.has_opened = True
        self.break_lines(lines)

    def break_lines(self, lines: list[str]) -> None:
        self._end_line("", self.base)
        self.lines += lines
        self.indent, self.pad = self.base, " " * self.base

    def finish_lines(self) -> list[str]:
        self._end_line("", self.base)
        return self.lines


def _split_at_arrows(items: list[Item]) -> list[list[Item]]:
    parts: list[list[Item]] = [[]]
    for item in items:
        if _is_arrow(item) and parts[-1]:
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


def _is_arrow(item: Item) -> bool:
    return isinstance(item, Leaf) and item.token.type == "ARROW"


def _is_single(bracket: BracketText) -> bool:
    """Whether the brackets hold one value, without commas and arrows."""
    return not any(isinstance(item, Leaf) and item.token.type in ("ARROW", "COMMA") for item in bracket.items)


def _has_pipeline(bracket: BracketText) -> bool:
    """Whether a pipeline or a bracket with one is between the brackets."""
    return any(_is_arrow(item) or (isinstance(item, BracketText) and _has_pipeline(item)) for item in bracket.items)


def _is_empty(item: BracketText | Braces) -> bool:
    """Whether nothing is between the brackets."""
    return not (item.items if isinstance(item, BracketText) else item.statements or item.closing)


def _last_leaf(items: list[Item]) -> Leaf:
    last = items[-1]
    return last if isinstance(last, Leaf) else last.close


def _with_comma(lines: list[str], piece: list[Item], comma: Leaf, indent: int) -> list[str]:
    """The lines of a member with its comma, which must not follow a comment."""
    pad = " " * indent
    # A comma after a comment would be part of the comment.
    lines = [*lines, pad + ","] if _last_leaf(piece).has_comments else [*lines[:-1], lines[-1] + ","]
    lines[-1] += "".join(f"  {comment}" for comment in comma.trailing)
    return lines + [pad + comment for comment in comma.below]
