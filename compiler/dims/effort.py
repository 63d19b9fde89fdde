"""Limit the effort of arithmetic with dimensions. Without a limit, each symbol may double the terms of a product of sums.

In: an `Effort` with a limit, and `with limit_effort(effort):` around the computation. Out: the number of terms that were made, or
`EffortSpent` once there are more than the limit. Always: a function that makes or reads n terms spends n before it does so; outside of a
`with limit_effort`, nothing is counted.

    >>> from .polynomial import make_symbol
    >>> total = make_symbol("a") + make_symbol("b")
    >>> with limit_effort(Effort(100)):
    ...     print(total * total)
    a*a + 2*a*b + b*b
    >>> with limit_effort(Effort(3)):
    ...     total * total
    Traceback (most recent call last):
    netc.compiler.dims.effort.EffortSpent
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar


class EffortSpent(Exception):
    """The arithmetic has made more terms than its limit."""


class Effort:
    """The terms that were made so far, and the most that may be."""

    __slots__ = ("limit", "spent")

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.spent = 0


# A context variable, because Python's operators (`a * b`) have no argument for it, and threads must not share it.
_current: ContextVar[Effort | None] = ContextVar("effort", default=None)


def spend_effort(terms: int) -> None:
    """Count terms before they are made or read."""
    effort = _current.get()
    if effort is not None:
        effort.spent += terms
        if effort.spent > effort.limit:
            raise EffortSpent


@contextmanager
def limit_effort(effort: Effort) -> Iterator[None]:
    """Count the terms that the body of the `with` statement makes as part of this effort."""
    token = _current.set(effort)
    try:
        yield
    finally:
        _current.reset(token)
