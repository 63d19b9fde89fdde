"""The effort that dimensions take, which a spec can make as great as it likes: each symbol doubles the terms of a product of sums.

In: an `Effort` with a limit, and `with limited(effort):` around what computes. Out: the terms that were made, or `EffortSpent` once they
are more than the limit. Always: what makes or reads n terms spends n before it does so; without a limit around it, nothing is counted.
"""

from __future__ import annotations

from _contextvars import ContextVar
from collections.abc import Iterator
from contextlib import contextmanager


class EffortSpent(Exception):
    """The dimensions have taken more than their limit."""


class Effort:
    """The terms that were made so far, and the most that may be."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0


_current: ContextVar[Effort | None] = ContextVar("effort", default=None)


def spend_effort(terms: int) -> None:
    """Counts terms that are about to be made or read."""
    effort = _current.get()
    if effort is not None:
        effort.spent += terms
        if effort.spent > effort.limit:
            raise EffortSpent


@contextmanager
def limited(effort: Effort) -> Iterator[None]:
    """Within the `with` statement, terms are counted as part of this effort."""
    token = _current.set(effort)
    try:
        yield
    finally:
        _current.reset(token)
