"""Which rule an operator has: a table keyed by its class or by one of its bases.

What has no entry is refused, so that a new operator is never assumed to be causal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..ops.operator import Operator
from .items import Item
from .stream_site import Mixed, Site

Rule = Callable[[Site], Sequence[Item]]
RULES: dict[type[Operator], Rule] = {}


PAIRS: set[type[Operator]] = set()
"""Those whose rule takes pieces with two axes of positions, such as masks."""


def rule(*classes: type[Operator], pairs: bool = False) -> Callable[[Rule], Rule]:
    """Registers how operators of these classes are computed. `pairs`: the rule takes pieces with two axes of positions."""

    def register(function: Rule) -> Rule:
        for cls in classes:
            if cls in RULES:
                raise ValueError(f"two rules for {cls.__name__}")
            RULES[cls] = function
            if pairs:
                PAIRS.add(cls)
        return function

    return register


def mixes(*classes: type[Operator]) -> Callable[[Mixed], Mixed]:
    """Registers which axes they mix. Along any other axis a piece gives a piece."""

    def register(function: Mixed) -> Mixed:
        rule(*classes)(lambda site: site.passed(function))
        return function

    return register


def has_rule(operator: type[Operator]) -> bool:
    """Whether an operator is streamed as itself, rather than by its definition."""
    return any(cls in RULES for cls in operator.__mro__)


def rule_of(op: Operator) -> Rule | None:
    return next((RULES[cls] for cls in type(op).__mro__ if cls in RULES), None)


def takes_pairs(op: Operator) -> bool:
    return next((cls in PAIRS for cls in type(op).__mro__ if cls in RULES), False)
