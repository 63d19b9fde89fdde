"""Facts about the brackets of a text, for the token filter: which closes which, and which hold a pipeline or names.

The functions take tokens and never change them. A bracket without a partner is skipped, because the filter reports it.

    >>> from .grammar import load_tables
    >>> from .lexer import lex_text
    >>> tokens, _ = lex_text("(mean, (low, high)) = x", load_tables())
    >>> end_of_pattern(tokens, 0), tokens[end_of_pattern(tokens, 0)].text
    (9, '=')
"""

from __future__ import annotations

from collections.abc import Sequence

from .lexer import Token

OPENERS = frozenset(("LPAR", "LPAR_TIGHT", "LPAR_NAMES", "LPAR_FLOW", "LBRACK", "LBRACK_TIGHT"))
CLOSER_OF = {"LPAR": ("RPAR", ")"), "LBRACK": ("RBRACK", "]"), "LBRACE": ("RBRACE", "}")}
OPENER_OF = {"RPAR": ("LPAR", "("), "RBRACK": ("LBRACK", "["), "RBRACE": ("LBRACE", "{")}


_ONLY_IN_PIPELINES = frozenset(("ARROW", "INPUT", "PARAM", "TABLE", "REPEAT", "EACH", "SCAN", "LABEL", "LBRACE"))
"""Tokens that no compile-time expression has."""
_HEADERS = frozenset(("BLOCK", "MODEL", "FN", "TRAIN"))


class OpenBracket:
    """An open bracket, and the counts of nesting outside of it. `call`: it holds the arguments of a call. `expression`: it holds
    compile-time expressions, except where the current argument is a pipeline (`flow`)."""

    __slots__ = ("token", "call", "expression", "flow", "line", "chain", "choices", "outer")

    def __init__(self, token: Token, call: bool, expression: bool, line: int, chain: int, choices: int, outer: int) -> None:
        self.token, self.call, self.expression, self.flow = token, call, expression, False
        self.line, self.chain, self.choices, self.outer = line, chain, choices, outer


class Pipelines:
    """The starts of brackets and of arguments that directly contain a token that only pipelines have: an arrow, a `param`, a label.

    The parser cannot tell a pipeline from an expression by its first token. The filter sees all tokens, and marks the pipelines for it.
    """

    def __init__(self, tokens: Sequence[Token]) -> None:
        self.brackets: set[int] = set()
        self.arguments: set[int] = set()
        opened: list[list[int]] = []  # for each open bracket: its position, and the position of the current argument
        for index, token in enumerate(tokens):
            # -1 says that no token of the argument has been seen yet. Line ends do not count, since an argument may begin on the next
            # line.
            if opened and opened[-1][1] < 0 and token.type != "NL":
                opened[-1][1] = token.start
            if token.type in _ONLY_IN_PIPELINES and opened:
                self.brackets.add(opened[-1][0])
                self.arguments.add(opened[-1][1])
            if token.type in OPENERS or token.type == "LBRACE":
                opened.append([token.start, -1])
            # Any closer pops any opener: the filter, which runs later, inserts what is missing.
            elif token.type in OPENER_OF and opened:
                opened.pop()
            elif opened and (token.type == "COMMA" or (token.type == "EQUALS" and tokens[index - 1].start == opened[-1][1])):
                opened[-1][1] = -1  # the next token begins an argument, or the value of one


def is_call(before: Sequence[Token]) -> bool:
    """Whether a tight bracket after these tokens has the arguments of a call, rather than the parameters of a definition."""
    return not (len(before) > 1 and before[-2].type in _HEADERS)


def is_argument(before: Sequence[Token]) -> bool:
    """Whether a bracket after these tokens has the value of an argument: `mask=(`."""
    kinds = [token.type for token in before[-3:]]
    return kinds[-1:] == ["EQUALS"] and kinds[-2:-1] in (["NAME"], ["NAME_AFTER"]) and kinds[0] not in ("LET", "SHARED")


def end_of_names(tokens: Sequence[Token], index: int, rest: bool = False) -> int:
    """If a list of names in parentheses begins at `index`, the index after it, otherwise 0. With `rest`, `...` or `[]` may follow a
    name."""
    expected = "NAME"
    for position in range(index + 1, len(tokens)):
        kind = tokens[position].type
        if kind == "RPAR":
            return position + 1
        if kind == expected:
            expected = "COMMA" if kind == "NAME" else "NAME"
        elif kind != "NL" and not (rest and expected == "COMMA" and kind in ("ELLIPSIS", "LBRACK", "RBRACK")):
            break
    return 0


def end_of_pattern(tokens: Sequence[Token], index: int) -> int:
    """Return the index after names in parentheses, which may be nested; 0 for anything else."""
    depth = 0
    for position in range(index, len(tokens)):
        kind = tokens[position].type
        if kind == "LPAR":
            depth += 1
        elif kind == "RPAR":
            depth -= 1
            if depth == 0:
                return position + 1
        elif kind not in ("NAME", "COMMA", "NL"):
            break
    return 0
