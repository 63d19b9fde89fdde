"""Sizes of windows."""

from __future__ import annotations

from collections.abc import Sequence


def each_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for each axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)
