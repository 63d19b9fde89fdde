"""Brackets of a text: which close which, those that are open, and those that hold a pipeline.

In: tokens. Out: facts about their brackets, for the token filter. Always: brackets that have no partner are passed over.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from .tokens import Token

OPENERS = frozenset(("LPAR", "LPAR_TIGHT", "LPAR_NAMES", "LPAR_FLOW", "LBRACK", "LBRACK_TIGHT"))
CLOSER_OF = {"LPAR": ("RPAR", ")"), "LBRACK": ("RBRACK", "]"), "LBRACE": ("RBRACE", "}")}
OPENER_OF = {"RPAR": ("LPAR", "("), "RBRACK": ("LBRACK", "["), "RBRACE": ("LBRACE", "{")}


class OpenBracket:
    """An open bracket, whether it has the arguments of a call, and the counts of nesting outside it."""

    __slots__ = ("token", "call", "line", "chain", "choices", "outer")

    def __init__(self, token: Token, call: bool, line: int, chain: int, choices: int, outer: int) -> None:
        self.token, self.call, self.line, self.chain, self.choices, self.outer = token, call, line, chain, choices, outer


def with_arrows(tokens: Iterable[Token]) -> frozenset[int]:
    """Where the brackets begin that have an arrow directly inside."""
    found: set[int] = set()
    opened: list[int] = []
    for token in tokens:
        if token.type == "ARROW" and opened:
            found.add(opened[-1])
        elif token.type in OPENERS or token.type == "LBRACE":
            opened.append(token.start)
        elif token.type in OPENER_OF and opened:
            opened.pop()
    return frozenset(found)


def holds_argument(before: Sequence[Token], in_call: bool) -> bool:
    """Whether a bracket after these tokens has the value of an argument: `mask=(`, and in a call `f((`, `f(a, (`."""
    kinds = [token.type for token in before[-3:]]
    if kinds[-1:] == ["EQUALS"]:
        return kinds[-2:-1] in (["NAME"], ["NAME_AFTER"]) and kinds[0] not in ("LET", "SHARED")
    return in_call and kinds[-1:] in (["LPAR_TIGHT"], ["COMMA"])
