"""Turns a text into tokens: Lark's basic lexer, as one regular expression.

`lex_text` returns the tokens in order, newlines and semicolons included, and the comments separately. It never fails: invalid text becomes
tokens too (STRAY, UNTERMINATED_STRING, ...), which the grammar never accepts, so that the parser explains them. Together with the spaces
between them, the tokens and comments are the text.

    >>> from .grammar import load_tables
    >>> lex_text("x -> relu  # why", load_tables())
    ([NAME('x'), ARROW('->'), NAME('relu'), $END('')], [COMMENT('# why')])
"""

from __future__ import annotations

from .grammar import END, LAST, Tables


class Token:
    """`type` is a terminal of net.lark, `start` and `end` are offsets."""

    __slots__ = ("type", "text", "start", "end")

    def __init__(self, type: str, text: str, start: int, end: int) -> None:
        self.type = type
        self.text = text
        self.start = start
        self.end = end

    def __repr__(self) -> str:
        return f"{self.type}({self.text!r})"


MAX_TOKENS = 500_000
"""The tokens of a text that are read."""
MAX_DIGITS = 300
"""The characters of a number: an integer of that length is still finite as a float."""
MAX_PARTS = 100
"""The parts of a shape such as `3x224x224`."""


def is_too_large(text: str) -> bool:
    """Whether a number, or a part of a shape such as `3x224`, is infinite as a float or has more digits than a number may have."""
    if "x" in text:
        return any(part.isdigit() and len(part) > MAX_DIGITS for part in text.split("x"))
    try:
        return float(text) == float("inf") or len(text) > MAX_DIGITS
    except ValueError:  # it is no number
        return False


def lex_text(text: str, tables: Tables, start: int = 0, end: int | None = None) -> tuple[list[Token], list[Token]]:
    """The tokens of `text[start:end]`, with END after the last one, and the comments. Beyond the limit, one token more and no others."""
    stop = len(text) if end is None else end
    # Editors on Windows write a byte order mark, which is no part of the text.
    begin = start + 1 if start == 0 and text.startswith("\ufeff") else start
    tokens: list[Token] = []
    comments: list[Token] = []
    # The names are local because this loop runs once for every token of a text of up to half a million.
    append = tokens.append
    keyword = tables.keywords.get
    for match in tables.pattern.finditer(text, begin, stop):
        kind = match.lastgroup
        assert kind is not None
        first, last = match.span(kind)
        word = text[first:last]
        if kind == "NAME":
            kind = keyword(word, kind)
        elif kind == "COMMENT":
            comments.append(Token(kind, word, first, last))
            continue
        elif (kind == "NUMBER" or kind == "DIMS") and is_too_large(word):
            kind = "BAD_NUMBER"
        elif kind == LAST:
            break
        append(Token(kind, word, first, last))
        # One token more than the limit says that there are too many; to read the rest would only take time.
        if len(tokens) > MAX_TOKENS:
            break
    append(Token(END, "", stop, stop))
    return tokens, comments
