"""Decisions: the comparisons of traced integers that make a graph what it is.

A comparison in the text, or two sizes that an operator's rule needs to be equal, become a `Decision` of the graph that is being
elaborated. A value without a formula, such as a label or a float that is made of an integer, pins the integer: it equals its value.

    >>> import netc
    >>> (call,) = netc.compile("block b(n) { dense n -> if n > 2 { relu } }; input 3 -> b 4").program.main.nodes
    >>> call.graph.decisions
    {Decision(op='<', left=2, right=b#0.n): None}
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, ParamSpec, TypeVar

from ..dims import OPPOSITE, Dim, Facts
from ..types.traced_ints import (
    DIVIDES,
    Decided,
    Decision,
    TracedInt,
    formula_symbols,
    leaves_in,
    make_decision,
    make_pinning_decision,
    names_in,
    substitute_decision,
)

P = ParamSpec("P")
R = TypeVar("R")


class Decisions:
    """The decisions of one elaboration. `current` are the decisions of the graph that is being elaborated."""

    def __init__(self) -> None:
        self.current: Decided = {}

    def record_relation(self, op: str, left: object, right: object) -> None:
        """`left op right` holds, and matters."""
        if isinstance(left, TracedInt) or isinstance(right, TracedInt):
            self._add_decision(make_decision(op, left, right))

    def record_comparison(self, op: str, left: object, right: object, holds: bool) -> None:
        """The answer to a comparison of two integers."""
        if not (isinstance(left, TracedInt) or isinstance(right, TracedInt)) or isinstance(left, float) or isinstance(right, float):
            self.pin_value((left, right))
            return
        if not holds:
            op = OPPOSITE[op]
        # One direction only, so that `a > b` and `b < a` are one decision.
        if op in (">", ">="):
            op, left, right = {">": "<", ">=": "<="}[op], right, left
        self.record_relation(op, left, right)

    def pin_value(self, value: object) -> None:
        """The numbers in the value are used as they are."""
        for number in leaves_in(value):
            if isinstance(number, TracedInt):
                self.record_relation("==", number, int(number))
            else:
                self._add_decision(make_pinning_decision(names_in(number)))

    def import_decisions(self, decisions: Decided, values: Mapping[str, Any]) -> None:
        """The decisions of a graph, at a use of it: there its symbols have the given values."""
        for item in decisions:
            self._add_decision(substitute_decision(item, values))

    def _add_decision(self, item: Decision | None) -> None:
        if item is not None:
            # A dict keeps the order of the text, and drops the decisions that a loop repeats thousands of times.
            self.current[item] = None

    @contextmanager
    def collect_into(self, decisions: Decided) -> Iterator[None]:
        """Collect the decisions of another graph while it is elaborated."""
        before, self.current = self.current, decisions
        try:
            yield
        finally:
            self.current = before

    def collect_about(self, names: Mapping[str, Any], collected: Decided, value: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R:
        """The value of a block's parameter: what is decided about the symbols `names` meanwhile is put into `collected`."""
        before, noted = self.current, Decided()
        self.current = noted
        try:
            result = value(*args, **kwargs)
        finally:
            self.current = before
        for item in noted:
            # A decision about the block's own parameters holds inside the block; any other belongs to the graph around it.
            if (formula_symbols(item.left) | formula_symbols(item.right)) & names.keys():
                collected[item] = None
            else:
                self._add_decision(item)
        return result


class DecidingFacts(Facts):
    """Facts that note which integers had to be equal, or multiples of others."""

    note: Callable[[str, object, object], None] = lambda op, left, right: None

    def are_equal(self, a: Dim, b: Dim) -> bool | None:
        # Only an equality that holds and is used is recorded: that two sizes differ leads to an error, and decides no graph.
        answer = super().are_equal(a, b)
        if answer and (isinstance(a, TracedInt) or isinstance(b, TracedInt)):
            self.note("==", a, b)
        return answer

    def divides(self, k: Dim, a: Dim) -> bool | None:
        answer = super().divides(k, a)
        if answer:
            self.note(DIVIDES, k, a)
        return answer

    def exact_div(self, a: Dim, b: Dim) -> Dim | None:
        quotient = super().exact_div(a, b)
        if quotient is not None:
            self.note(DIVIDES, b, a)
        return quotient
