"""How tightly the operators of a language bind, so that printers write brackets only where an operand needs them.

An `OperatorTable` is made of levels of operators, from the loosest to the tightest, and returns for each operator the strength that its
operands need to be written without brackets. A tree that a printer writes by one table parses to the same tree; tests write random trees
and parse them.

    >>> strength, left, right = NET.operand_strengths("-")
    >>> left == strength, right > strength  # `a - b - c` needs no brackets, `a - (b - c)` does
    (True, True)
    >>> NET.strength_of_text("a + b * c") == NET.binding_strength("+")
    True
"""

from __future__ import annotations

import re
from typing import Literal

Associativity = Literal["left", "right", "power", "none", "prefix"]
"""A `power` groups from the right, and its right operand may have a sign: `2 ** -i`."""
Level = tuple[str, Associativity]
"""Operators that bind equally, separated by commas."""

_BRACKETS = re.compile(r"\([^()]*\)|\[[^][]*\]")
_NUMBER = re.compile(r"\d[\d_]*(?:\.\d+)?(?:e[-+]?\d+)?")
_OPERATOR = re.compile(r"(?<=[\w}.])\s*(\*\*|//|[-+*/%])")


def outside_brackets(text: str) -> str:
    """The text with `0` for each pair of brackets and what is in it."""
    # Inner brackets first: each round replaces those that contain none.
    while text != (text := _BRACKETS.sub("0", text)):
        pass
    return text


class OperatorTable:
    """The strengths of a language's operators: greater ones bind more tightly. `atom` is the strength of a name, a call or brackets,
    `loosest` the strength of an expression that always needs brackets. The prefix operator `-` is called `neg`, as in Python's
    `operator.neg`."""

    def __init__(self, *levels: Level) -> None:
        self._strengths = {op: strength for strength, (ops, _) in enumerate(levels, 1) for op in ops.split(", ")}
        self._associativity = {op: associativity for ops, associativity in levels for op in ops.split(", ")}
        self.loosest, self.atom = 0, len(levels) + 1

    def binding_strength(self, op: str) -> int:
        return self._strengths[op]

    def operand_strengths(self, op: str) -> tuple[int, int, int]:
        """The strength of an infix operator, and the least strengths of its left and right operands."""
        strength, associativity = self._strengths[op], self._associativity[op]
        if associativity == "power":
            # The right operand of a power may have a sign, `2 ** -i`, which binds one level more loosely than the power itself.
            return strength, strength + 1, strength - 1
        return strength, strength + (associativity != "left"), strength + (associativity != "right")

    def strength_of_text(self, text: str) -> int:
        """The strength of the loosest operator in the text of a number, outside of brackets."""
        outside = outside_brackets(_NUMBER.sub("0", text))
        sign = [self._strengths["neg"]] if text.startswith("-") else []
        return min([*map(self.binding_strength, _OPERATOR.findall(outside)), *sign, self.atom])


COMPARISONS = "==, !=, <, <=, >, >="
NET = OperatorTable(
    ("or", "left"),
    ("and", "left"),
    ("not", "prefix"),
    (COMPARISONS, "none"),
    ("+, -", "left"),
    ("*, /, //, %, @", "left"),
    ("neg", "prefix"),
    ("**", "right"),
)
"""The operators of the language itself. Its grammar is net.lark."""
