"""Retypes tokens whose meaning depends on the tokens after them, for the token filter.

The functions take all tokens and the index of one, and change the list in place: `name =`, `metric name =`, `(a, b) =` and the states of a
`scan` get other types, and a path of labels after `tie=` becomes one PATH token. Nothing before the index changes, since the filter has
already passed it on.

    >>> from .grammar import load_tables
    >>> from .lexer import lex_text
    >>> tokens, _ = lex_text("(mean, std) = x", load_tables())
    >>> mark_statement_start(tokens, 0)
    >>> [token.type for token in tokens]
    ['LPAR_NAMES', 'NAME', 'COMMA', 'NAME', 'RPAR', 'ASSIGN', 'NAME', '$END']
"""

from __future__ import annotations

from .brackets import CLOSER_OF, OPENER_OF, end_of_names
from .lexer import Token

LABELS = frozenset(("MODEL", "BLOCK", "FN", "LET", "USE", "OUT", "EXPECT", "SHARED", "DEFAULT", "TRAIN", "IN"))
"""Keywords that nothing else follows with a dot: paths to a stage may begin with them."""
TOP_LEVEL = frozenset(("BLOCK", "MODEL", "FN", "USE", "TRAIN"))
STATEMENT_WORDS = TOP_LEVEL | {"LET", "OUT", "EXPECT", "SHARED", "DEFAULT"}
# What labels consist of: words, keywords too, and numbers
_IN_PATH = STATEMENT_WORDS | frozenset(
    (
        *("NAME", "DOT", "NUMBER", "BAD_NUMBER", "DIMS", "MINUS", "INPUT", "PARAM", "TABLE", "REPEAT", "EACH", "FOR", "SCAN", "IN"),
        *("IF", "ELSE", "AS", "IS", "WHERE", "TRUE", "FALSE", "AND", "OR", "NOT"),
    )
)


def mark_statement_start(tokens: list[Token], index: int) -> None:
    """Retypes the `=` of `name =`, the word and the `=` of `metric name =`, the first bracket and the `=` of `(a, b) =`, and `--`."""
    if tokens[index].type == "NAME":
        if tokens[index + 1].type == "EQUALS":
            tokens[index + 1].type = "ASSIGN"
        elif tokens[index].text == "metric" and [t.type for t in tokens[index + 1 : index + 3]] == ["NAME", "EQUALS"]:
            tokens[index].type, tokens[index + 2].type = "METRIC", "ASSIGN"
    elif tokens[index].type == "LPAR":
        end = end_of_names(tokens, index, rest=True)
        if end and tokens[end].type == "EQUALS":
            tokens[index].type = "LPAR_NAMES"
            tokens[end].type = "ASSIGN"
    elif [t.type for t in tokens[index : index + 2]] == ["MINUS", "MINUS"] and tokens[index].end == tokens[index + 1].start:
        tokens[index].type = "TIMES"  # a comment of SQL, not twice a sign: no statement can begin so


def mark_states(tokens: list[Token], index: int) -> None:
    """Retypes the `=` of each `name = start` in `scan (h = start, c = start)`; `index` is after the keyword."""
    depth = 0
    for position in range(index, len(tokens) - 1):
        kind = tokens[position].type
        if kind in CLOSER_OF:
            depth += 1
        elif kind in OPENER_OF:
            depth -= 1
        elif depth == 1 and kind == "EQUALS" and tokens[position - 1].type == "NAME":
            # Only the `=` after a name that begins a state; the start of a state is a pipeline, whose stages have arguments with `=` too.
            before = next(t.type for t in reversed(tokens[: position - 1]) if t.type != "NL")
            if before in ("LPAR", "COMMA"):
                tokens[position].type = "ASSIGN"
        if depth <= 0 or kind == "SEMICOLON":
            return


def join_path(tokens: list[Token], index: int) -> None:
    """Makes one token of a path of labels after `tie=`, if it is not a dotted name already: `model.layers.0.attn`."""
    end = index
    while tokens[end].type in _IN_PATH and (end == index or tokens[end].start == tokens[end - 1].end):
        end += 1
    path = tokens[index:end]
    # A dotted name of plain words parses without help, and a path that ends with a dot is not finished.
    if any(token.type not in ("NAME", "DOT") for token in path) and path[-1].type != "DOT":
        text = "".join(token.text for token in path)
        tokens[index:end] = [Token("PATH", text, path[0].start, path[-1].end)]
