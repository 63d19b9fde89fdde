"""Highlight `.net` texts with Pygments, and so in Sphinx, MkDocs, notebooks and terminals. Pygments finds the lexer by an entry point.

In: a text. Out: tokens of Pygments, from the lexer of the language itself. Always: the tokens together are the text. Exactly the tokens
that the language does not have, such as `'single quotes'`, are `Error`.

    >>> [(str(kind), text) for kind, text in NetLexer().get_tokens("x -> relu") if text.strip()]
    [('Token.Name', 'x'), ('Token.Operator', '->'), ('Token.Name.Builtin', 'relu')]
"""

from __future__ import annotations

from collections.abc import Iterator

from pygments.lexer import Lexer
from pygments.token import Comment, Error, Keyword, Name, Number, Operator, Punctuation, String, Whitespace, _TokenType

from netc.dsl.grammar import load_tables
from netc.dsl.lexer import Token, lex_text

__all__ = ["NetLexer"]
CONSTANTS = ("true", "false")
WORD_OPERATORS = ("and", "or", "not", "in")
DEFINING = ("block", "model", "fn", "train")
"""The keywords before a name that they define."""
_LITERALS = {"NUMBER": Number, "DIMS": Number, "STRING": String.Double, "COMMENT": Comment.Single, "NL": Whitespace}
_INVALID = frozenset(("STRAY", "UNTERMINATED_STRING", "SINGLE_QUOTED", "BAD_NUMBER", "BAD_ARROW"))
_PUNCTUATION = "()[]{},;:."
Color = tuple[int, _TokenType, str]


class NetLexer(Lexer):  # type: ignore[misc]
    """The lexer of netc's language."""

    name = "Net"
    aliases = ("net", "netc")
    filenames = ("*.net",)
    mimetypes = ("text/x-net",)

    def get_tokens_unprocessed(self, text: str) -> Iterator[Color]:
        """Yield the tokens with their offsets. The lexer drops white space, so the gaps between its tokens are added."""
        tokens, comments = lex_text(text, load_tables())
        offset, before = 0, ""
        for token in sorted([*tokens, *comments], key=lambda token: token.start):
            if token.start > offset:
                yield offset, Whitespace, text[offset : token.start]
            if token.end > token.start:
                yield from _color_token(token, before, text[token.end : token.end + 2])
            offset, before = token.end, token.text
        if offset < len(text):
            yield offset, Whitespace, text[offset:]


def _color_token(token: Token, before: str, after: str) -> Iterator[Color]:
    """Yield the tokens of Pygments for a token. `before` is the text of the token before it, `after` the characters after it."""
    if token.type != "LABEL":
        yield token.start, _classify_token(token, before, after), token.text
        return
    label = token.text[2:].lstrip()  # the lexer reads `as name` as one token
    yield token.start, Keyword, "as"
    yield token.start + 2, Whitespace, token.text[2 : -len(label)]
    yield token.end - len(label), Name.Label, label


def _classify_token(token: Token, before: str, after: str) -> _TokenType:
    if token.type in _LITERALS:
        return _LITERALS[token.type]
    if token.type in _INVALID:
        return Error
    if token.type == "NAME":
        return _classify_name(token.text, before, after)
    if token.text in CONSTANTS:
        return Keyword.Constant
    if token.text in WORD_OPERATORS:
        return Operator.Word
    if token.text[0].isalpha():
        return Keyword
    return Punctuation if token.text in _PUNCTUATION else Operator


def _classify_name(name: str, before: str, after: str) -> _TokenType:
    from netc.compiler.ops import Operator as NetOperator
    from netc.compiler.types.tensor_types import DTYPES

    if before in DEFINING:
        return Name.Class
    # `name=` is a named argument, `name ==` a comparison
    if after.startswith("=") and after != "==":
        return Name.Attribute
    if name in DTYPES:
        return Keyword.Type
    return Name.Builtin if name in NetOperator.registry and NetOperator.registry[name].operands else Name
