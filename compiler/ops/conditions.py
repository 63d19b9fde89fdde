"""Conditions on sizes, as a `where` has them."""

from __future__ import annotations

from ..dims import Dim, show
from ..dims.polynomial import constant_of


def at_most_text(part: Dim, size: Dim) -> str:
    """`part <= size`: `T <= 4`, `S >= T`."""
    return f"{show(part)} <= {size}" if isinstance(size, int) else f"{show(size)} >= {show(part)}"


def at_least_text(size: Dim, least: Dim) -> str:
    """`size >= least`, numbers on the right: `T >= 2` rather than `T - 2 >= 0`."""
    number = constant_of(size - least)
    return f"{show(size - least - number)} >= {-number}"
