"""Find the longest text that a decoder takes.

In: a checked program, and the dimension of its tokens. Out: a number of tokens, `UNBOUNDED` if no condition limits it.

>>> import netc
>>> find_context_length(netc.compile("input [T, 4] where T <= 8 -> dense 2").program, "T")
8
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.compiler.dims import Condition, condition_holds, free_symbols

if TYPE_CHECKING:
    from netc.compiler.ir.graph import Program

UNBOUNDED = 131_072
"""The longest text, in tokens, of a model that has no condition on its length."""


def find_context_length(program: Program, dimension: str) -> int:
    """Return the longest text that the conditions of the spec allow."""
    limits = [UNBOUNDED]
    for condition, _ in program.conditions:
        if isinstance(condition, Condition) and free_symbols(condition.left) | free_symbols(condition.right) == {dimension}:
            limits.append(_find_longest(condition, dimension))
    return min(limits)


def _find_longest(condition: Condition, dimension: str) -> int:
    """Find the greatest length that a condition allows, by bisection."""

    def holds(size: int) -> bool:
        return condition_holds(condition, {dimension: size})

    # `==` and `!=` have no greatest length that bisection could find.
    if condition.op in ("==", "!=") or holds(UNBOUNDED):
        return UNBOUNDED
    low, high = 1, UNBOUNDED
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low
