"""The guard around each step: what fails is reported, and its result is unknown."""

from __future__ import annotations

from collections.abc import Callable
from typing import ParamSpec, TypeVar

from .scope import Scope
from .session import Session
from .values import UNKNOWN, Unknown

P = ParamSpec("P")
R = TypeVar("R")


def guarded(scope: Scope, session: Session, action: Callable[P, R], *args: P.args, **kwargs: P.kwargs) -> R | Unknown:
    """What the action gives, or `UNKNOWN` once its failure has been reported."""
    trace = scope.frame.trace if scope.frame is not None else ()
    with session.catching(trace):
        return action(*args, **kwargs)
    return UNKNOWN
