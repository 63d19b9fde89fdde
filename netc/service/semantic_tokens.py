"""Semantic tokens: what each word of a text is.

In: a checked text. Out: `Word`s in its order, none over the end of a line. Always: a text that does not parse has them too.
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.ops import Operator
from netc.dsl.grammar import END, load_tables
from netc.dsl.lexer import Token
from netc.dsl.record import Record

from .checked_text import Checked

KINDS = ("keyword", "number", "string", "comment", "operator", "function", "class", "variable", "parameter", "property", "type", "label")
"""The kinds of words. An operator of the language is a `function`, a block or model a `class`, a tensor a `variable`."""
_OF_DEFINITION = {
    "block": "class",
    "model": "class",
    "function": "function",
    "shared": "function",
    "parameter": "parameter",
    "dimension": "type",
}
_OF_REFERENCE = {
    "operator": "function",
    "argument": "property",
    "type": "type",
    "function": "function",
    "block": "class",
    "shared": "function",
}
_LITERALS = {"NUMBER": "number", "DIMS": "number", "STRING": "string", "UNTERMINATED_STRING": "string", "COMMENT": "comment"}


class Word(Record):
    """A part of the text and its kind."""

    start: int
    end: int
    kind: str


def words(checked: Checked) -> list[Word]:
    """The kind of each word."""
    found = checked.tokens
    known = dict(_known(checked))
    listed: list[Word] = []
    for at, token in enumerate(found):
        listed += _word(token, found[at + 1] if at + 1 < len(found) else None, known)
    listed += [Word(token.start, token.end, "comment") for token in checked.comments]
    return sorted((word for word in listed if word.end > word.start), key=lambda word: word.start)


def _known(checked: Checked) -> Iterator[tuple[tuple[int, int], str]]:
    for reference in checked.references:
        if reference.kind in _OF_REFERENCE:
            yield (reference.span.start, reference.span.end), _OF_REFERENCE[reference.kind]
    for one in checked.occurrences:
        if one.definition is not None:
            yield (one.span.start, one.span.end), _OF_DEFINITION.get(one.definition.kind, "variable")


def _word(token: Token, following: Token | None, known: dict[tuple[int, int], str]) -> Iterator[Word]:
    if token.type in _LITERALS:
        yield Word(token.start, token.end, _LITERALS[token.type])
    elif token.type == "LABEL":
        yield Word(token.start, token.start + len("as"), "keyword")
        yield Word(token.end - len(token.text[2:].lstrip()), token.end, "label")
    elif token.type == "NAME":
        kind = known.get((token.start, token.end))
        named = following is not None and following.type == "EQUALS" and following.start == token.end
        yield Word(token.start, token.end, kind or ("property" if named else "function" if token.text in Operator.registry else "variable"))
    elif token.text in load_tables().keywords:
        yield Word(token.start, token.end, "keyword")
    elif token.type not in (END, "NL") and not token.text.isspace() and token.text not in "()[]{},":
        yield Word(token.start, token.end, "operator")
