"""Lays text out in lines: a text that is too long is broken at its brackets, as black breaks it; many short numbers fill lines.

In: a `Doc`, built by the printer. Out: lines of at most `WIDTH` columns, unless a single word is longer. Always: the text of a Doc on one
line and on many lines differ only in white space, trailing commas and, around a broken expression, parentheses.

>>> layout_statement("x = ", Doc("f", LayoutBracket("(", [Doc("a"), Doc("b")], ")")), 0)
['x = f(a, b)']
"""

from __future__ import annotations

from textwrap import wrap

WIDTH = 119
"""The width of lines. Libraries of models have 119 or 120 columns."""
STEP = "    "
FILLED, SHORT = 10, 8
"""The least number of items, and their greatest length, for a list that fills lines; others have a line for each item."""


class LayoutBracket:
    """`open item, item close`. `comma`: a comma may follow the last item."""

    __slots__ = ("close", "comma", "items", "open", "width")

    def __init__(self, open: str, items: list[Doc], close: str, comma: bool = True) -> None:
        self.open, self.items, self.close, self.comma = open, items, close, comma
        self.width: int = len(open) + len(close) + sum(i.width + 2 for i in items) - (2 if items else 0)

    def to_line(self) -> str:
        return self.open + ", ".join(i.to_line() for i in self.items) + self.close


class Break:
    """A space where a line may end; `text` begins the next line."""

    __slots__ = ("text", "width")

    def __init__(self, text: str) -> None:
        self.text = text
        self.width = len(text) + 1

    def to_line(self) -> str:
        return f" {self.text}"


class Doc:
    """Pieces of text, one after the other."""

    __slots__ = ("pieces", "width")

    def __init__(self, *pieces: str | LayoutBracket | Break) -> None:
        self.pieces = pieces
        # Widths are stored: computing them from the items each time would take quadratic time for nested brackets.
        self.width: int = sum(len(p) if isinstance(p, str) else p.width for p in pieces)

    def __add__(self, other: Doc) -> Doc:
        return Doc(*self.pieces, *other.pieces)

    def to_line(self) -> str:
        return "".join(p if isinstance(p, str) else p.to_line() for p in self.pieces)

    def split_at_breaks(self) -> list[Doc]:
        """Return the parts between possible line breaks."""
        parts: list[list[str | LayoutBracket | Break]] = [[]]
        for piece in self.pieces:
            if isinstance(piece, Break):
                parts.append([piece.text])
            else:
                parts[-1].append(piece)
        return [Doc(*p) for p in parts]


def layout_statement(head: str, doc: Doc, indent: int) -> list[str]:
    """Return the lines of `head` and an expression after it, all of them indented."""
    return _layout_lines(head, doc, "", indent, bracketed=False)


def _layout_lines(head: str, doc: Doc, tail: str, indent: int, bracketed: bool) -> list[str]:
    room = WIDTH - indent * len(STEP) - len(head) - len(tail)
    if doc.width <= room:
        return [STEP * indent + head + doc.to_line() + tail]
    split = doc.split_at_breaks()
    if len(split) > 1:
        # Parentheses keep an expression that fits on a line of its own in one piece.
        if not bracketed and doc.width <= WIDTH - (indent + 1) * len(STEP):
            return [STEP * indent + head + "(", STEP * (indent + 1) + doc.to_line(), STEP * indent + ")" + tail]
        return _layout_at_breaks(head, split, tail, indent, bracketed)
    chosen = _choose_bracket(doc, room)
    if chosen is None:
        return [STEP * indent + head + doc.to_line() + tail]
    before = Doc(*doc.pieces[:chosen])
    after = Doc(*doc.pieces[chosen + 1 :])
    bracket = doc.pieces[chosen]
    assert isinstance(bracket, LayoutBracket)
    return [
        STEP * indent + head + before.to_line() + bracket.open,
        *_layout_bracket(bracket, indent + 1),
        # The rest after the bracket may itself need to be broken: `.view(...)` after a long call.
        *_layout_lines(bracket.close, after, tail, indent, bracketed),
    ]


def _layout_at_breaks(head: str, split: list[Doc], tail: str, indent: int, bracketed: bool) -> list[str]:
    """Write one line for each part, within new parentheses unless brackets are around them already."""
    if bracketed:
        ends = [""] * (len(split) - 1) + [tail]
        heads = [head] + [""] * (len(split) - 1)
        return [line for h, part, end in zip(heads, split, ends, strict=True) for line in _layout_lines(h, part, end, indent, True)]
    inner = [line for part in split for line in _layout_lines("", part, "", indent + 1, True)]
    return [STEP * indent + head + "(", *inner, STEP * indent + ")" + tail]


def _choose_bracket(doc: Doc, room: int) -> int | None:
    """Return the index of the bracket to break: the last one if the text before it fits on one line and it is not small, else the
    widest."""
    places = [i for i, p in enumerate(doc.pieces) if isinstance(p, LayoutBracket) and p.items]
    if not places:
        return None
    widths = {i: p.width for i, p in enumerate(doc.pieces) if isinstance(p, LayoutBracket)}
    widest = max(places, key=lambda i: (widths[i], i))
    last = places[-1]
    before = sum(p.width if not isinstance(p, str) else len(p) for p in doc.pieces[:last])
    return last if before < room and widths[last] * 2 >= widths[widest] else widest


def _layout_bracket(bracket: LayoutBracket, indent: int) -> list[str]:
    """Lay out the content of brackets: on one line if it fits, else with a line for each item."""
    total = sum(i.width + 2 for i in bracket.items) - 2
    if total <= WIDTH - indent * len(STEP):
        return [STEP * indent + ", ".join(i.to_line() for i in bracket.items)]
    # `(x,)` is a tuple, so a comma after the only item of a parenthesis would change what the code means.
    comma = "," if bracket.comma and (len(bracket.items) > 1 or bracket.open != "(") else ""
    if len(bracket.items) >= FILLED and all(item.width <= SHORT for item in bracket.items):
        return _fill_lines(", ".join(item.to_line() for item in bracket.items) + comma, indent)
    ends = [","] * (len(bracket.items) - 1) + [comma]
    return [line for item, end in zip(bracket.items, ends, strict=True) for line in _layout_lines("", item, end, indent, True)]


def _fill_lines(items: str, indent: int) -> list[str]:
    """Put items into as few lines as they need."""
    lines = wrap(items, WIDTH - indent * len(STEP), break_long_words=False, break_on_hyphens=False)
    return [STEP * indent + line for line in lines]
