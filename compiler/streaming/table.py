"""Which rule an operator has: a table keyed by its class or by one of its bases.

What has no entry is refused, so that a new operator is never assumed to be causal.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from ..ops.base import Operator, OpInputs
from .items import Item

if TYPE_CHECKING:
    from .site import Site

Rule = Callable[["Site"], Sequence[Item]]
Mixed = Callable[[Operator, OpInputs, int], frozenset[int]]
"""The axes of the input of that number along which elements depend on each other, counted from the front."""

RULES: dict[type[Operator], Rule] = {}


def rule(*classes: type[Operator]) -> Callable[[Rule], Rule]:
    """Registers how operators of these classes are computed."""

    def register(function: Rule) -> Rule:
        for cls in classes:
            if cls in RULES:
                raise ValueError(f"two rules for {cls.__name__}")
            RULES[cls] = function
        return function

    return register


def mixes(*classes: type[Operator]) -> Callable[[Mixed], Mixed]:
    """Registers which axes they mix. Along any other axis a piece gives a piece."""

    def register(function: Mixed) -> Mixed:
        rule(*classes)(lambda site: site.passed(function))
        return function

    return register


def rule_of(op: Operator) -> Rule | None:
    return next((RULES[cls] for cls in type(op).__mro__ if cls in RULES), None)
