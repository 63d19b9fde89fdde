"""Errors of the normalisation layers."""

from __future__ import annotations

from ..dims import show
from .base import Location, argument, input_
from .operators import Unprovable


class UnprovableShape(Unprovable):
    """An entry of `shape` that may or may not be the size of its axis. `left` is the axis, `right` the entry."""

    def marks(self) -> tuple[tuple[Location, str], ...]:
        return ((input_(0), f"{show(self.left)} is from here"), (argument("shape"), f"{show(self.right)} is from here"))
