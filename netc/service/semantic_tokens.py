"""Semantic tokens: classify the words of a text for coloring.

In: a checked text. Out: `ClassifiedWord`s in order, none across the end of a line. Always: a text that does not parse has them too.

    >>> from .workspace import Workspace
    >>> workspace = Workspace()
    >>> workspace.open_text("/a.net", "x = input 3 -> relu")
    >>> classify_words(workspace.check_text("/a.net"))[:2]
    [ClassifiedWord(start=0, end=1, kind='variable'), ClassifiedWord(start=2, end=3, kind='operator')]
"""

from __future__ import annotations

from collections.abc import Iterator

from netc.compiler.ops import Operator
from netc.dsl.grammar import END, load_tables
from netc.dsl.lexer import Token
from netc.dsl.record import Record

from .checked_text import CheckedText

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


class ClassifiedWord(Record):
    """A part of the text and its kind."""

    start: int
    end: int
    kind: str


def classify_words(checked: CheckedText) -> list[ClassifiedWord]:
    """Classify each word of a text."""
    tokens = checked.tokens
    known = dict(_classify_names(checked))
    results: list[ClassifiedWord] = []
    for index, token in enumerate(tokens):
        results += _classify_token(token, tokens[index + 1] if index + 1 < len(tokens) else None, known)
    results += [ClassifiedWord(token.start, token.end, "comment") for token in checked.comments]
    return sorted((word for word in results if word.end > word.start), key=lambda word: word.start)


def _classify_names(checked: CheckedText) -> Iterator[tuple[tuple[int, int], str]]:
    for reference in checked.references:
        if reference.kind in _OF_REFERENCE:
            yield (reference.span.start, reference.span.end), _OF_REFERENCE[reference.kind]
    # after the references, because the last entry counts, and a definition tells more
    for occurrence in checked.occurrences:
        if occurrence.definition is not None:
            yield (occurrence.span.start, occurrence.span.end), _OF_DEFINITION.get(occurrence.definition.kind, "variable")


def _classify_token(token: Token, following: Token | None, known: dict[tuple[int, int], str]) -> Iterator[ClassifiedWord]:
    if token.type in _LITERALS:
        yield ClassifiedWord(token.start, token.end, _LITERALS[token.type])
    elif token.type == "LABEL":
        # The lexer makes one token of `as name`.
        yield ClassifiedWord(token.start, token.start + len("as"), "keyword")
        yield ClassifiedWord(token.end - len(token.text[2:].lstrip()), token.end, "label")
    elif token.type == "NAME":
        kind = known.get((token.start, token.end))
        named = following is not None and following.type == "EQUALS" and following.start == token.end
        yield ClassifiedWord(
            token.start, token.end, kind or ("property" if named else "function" if token.text in Operator.registry else "variable")
        )
    elif token.text in load_tables().keywords:
        yield ClassifiedWord(token.start, token.end, "keyword")
    elif token.type not in (END, "NL") and not token.text.isspace() and token.text not in "()[]{},":
        yield ClassifiedWord(token.start, token.end, "operator")
