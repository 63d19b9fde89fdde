"""The spaces between tokens, for the formatter.

The grammar gives several tokens one type that the style writes differently, so `retype_for_spacing` distinguishes them first; then
`needs_space` decides by the types of two neighbors alone.

    >>> from .grammar import load_tables
    >>> from .lexer import lex_text
    >>> name, equals, value = [Leaf(token) for token in lex_text("eps=1e-5", load_tables())[0][:3]]
    >>> needs_space(name, equals), needs_space(equals, value), needs_space(name, value)
    (False, False, True)
"""

from __future__ import annotations

from collections.abc import Sequence

from .brackets import OPENERS
from .format_tree import Braces, BracketText, Leaf

_NOTHING_AFTER = OPENERS | {"DOT", "DOTDOT", "EQUALS", "UNARY"}
_NOTHING_BEFORE = frozenset(
    ("RPAR", "RBRACK", "COMMA", "COMMA_WHERE", "COLON", "QUESTION", "DOT", "DOTDOT", "EQUALS", "LPAR_TIGHT", "LBRACK_TIGHT")
)
_ENDS_VALUE = frozenset(("NAME", "NUMBER", "DIMS", "STRING", "RPAR", "RBRACK", "TRUE", "FALSE", "IN", "LABEL", "RBRACE"))


def leaf_text(leaf: Leaf) -> str:
    token = leaf.token
    if token.type == "LABEL":
        return "as " + token.text[2:].lstrip()
    return token.text


def needs_space(before: Leaf, after: Leaf) -> bool:
    if before.token.type in ("NUMBER", "DIMS") and after.token.type == "DOT":
        return True  # `4.e` would be one word
    if before.token.type == after.token.type == "UNARY":
        return True  # `--` would be a comment of SQL
    # `rest...` is one word to the reader.
    rest = before.token.type == "NAME" and after.token.type == "ELLIPSIS"
    return not rest and before.token.type not in _NOTHING_AFTER and after.token.type not in _NOTHING_BEFORE


def join_words(words: Sequence[tuple[Leaf, str]]) -> str:
    pieces: list[str] = []
    previous: Leaf | None = None
    for leaf, text in words:
        if previous is not None and needs_space(previous, leaf):
            pieces.append(" ")
        pieces.append(text)
        previous = leaf
    return "".join(pieces)


def retype_for_spacing(items: Sequence[Leaf | BracketText | Braces]) -> None:
    """Distinguishes tokens that the grammar does not: the `=` of `let`, `shared`, `fn`, `model`, `train`, `table` from the `=` of an
    argument, unary
    from binary `-`, and the function `where` from the condition and the stage. Changes the tokens' types, outside braces."""
    first = items[0]
    binding = isinstance(first, Leaf) and first.token.type in ("LET", "SHARED", "FN", "MODEL", "TRAIN")
    header = isinstance(first, Leaf) and first.token.type in ("BLOCK", "MODEL", "FN", "TRAIN")
    if header and len(items) > 2 and isinstance(items[2], BracketText):
        items[2].open.token.type = "LPAR_TIGHT"
    _retype_items(items, binding, "NL")


def _retype_items(items: Sequence[Leaf | BracketText | Braces], binding: bool, before: str) -> None:
    # The function `where(a, b, c)` of a formula is written tight, the stage `where` and the clause of an input are not.
    called = False  # after the `where` of a formula
    for index, item in enumerate(items):
        if isinstance(item, BracketText):
            if called:
                item.open.token.type = "LPAR_TIGHT"
            _retype_items(item.items, False, item.open.token.type)
        if not isinstance(item, Leaf):
            before, called = item.close.token.type, False
            continue
        token = item.token
        called = token.type == "WHERE" and before not in _ENDS_VALUE and before not in ("ARROW", "NL")
        if token.type in ("TABLE", "FOR"):  # the arguments after `train ... for model`
            binding = token.type == "TABLE" and _is_bracket(items[index + 1 :], "(")  # of one without indices, arguments
        elif token.type in ("EQUALS", "ASSIGN") and binding:  # the second if it was laid out before
            token.type = "ASSIGN"
            binding = False
        elif token.type in ("PLUS", "MINUS") and before not in _ENDS_VALUE:
            token.type = "UNARY"
        before = token.type


def _is_bracket(items: Sequence[Leaf | BracketText | Braces], text: str) -> bool:
    """Whether the first item is a pair of these brackets."""
    return bool(items) and isinstance(items[0], BracketText) and items[0].open.token.text == text
