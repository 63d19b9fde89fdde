"""Shapes: broadcasting, and positions in arrays that are stored as lists."""

from __future__ import annotations

from itertools import product


def whole_shape(a, b):
    """The shape of two shapes broadcast."""
    rank = max(len(a), len(b))
    a, b = (1,) * (rank - len(a)) + a, (1,) * (rank - len(b)) + b
    if any(x != y and 1 not in (x, y) for x, y in zip(a, b, strict=True)):
        raise ValueError(f"shapes {a} and {b} do not fit")
    return tuple(y if x == 1 else x for x, y in zip(a, b, strict=True))


def walk(shape):
    """All places of a shape, in order."""
    return product(*map(range, shape))


def flat_index(place, shape):
    at = 0
    for index, size in zip(place, shape, strict=True):
        at = at * size + (index + size if index < 0 else index)
    return at
