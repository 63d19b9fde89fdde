"""Brackets of a text: which close which, those that are open, those that hold a pipeline, and those around names.

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


def end_of_names(tokens: Sequence[Token], index: int, rest: bool = False) -> int:
    """If a list of names in parentheses begins at `index`, the index after it, otherwise 0. With `rest`, `...` or `[]` may follow a
    name."""
    wanted = "NAME"
    for at in range(index + 1, len(tokens)):
        kind = tokens[at].type
        if kind == "RPAR":
            return at + 1
        if kind == wanted:
            wanted = "COMMA" if kind == "NAME" else "NAME"
        elif kind != "NL" and not (rest and wanted == "COMMA" and kind in ("ELLIPSIS", "LBRACK", "RBRACK")):
            break
    return 0


def end_of_pattern(tokens: Sequence[Token], index: int) -> int:
    """The same for names in parentheses, some of them in parentheses of their own."""
    depth = 0
    for at in range(index, len(tokens)):
        kind = tokens[at].type
        if kind == "LPAR":
            depth += 1
        elif kind == "RPAR":
            depth -= 1
            if depth == 0:
                return at + 1
        elif kind not in ("NAME", "COMMA", "NL"):
            break
    return 0
