"""Functions of a tensor that modules use."""

from __future__ import annotations

from .array_words import Array, xp

# Buffer, load, freeze, draw: each framework's own.


def row_norms(weight: Array) -> Array:
    """The norm of each row, with the axes of the weight."""
    return xp.sqrt(xp.square(weight).sum(axis=tuple(range(1, weight.ndim)), keepdims=True))


# uniform_between, shifted_normal, truncated_normal: each framework's own.


def identity(x: Array) -> Array:
    """The tensor itself."""
    return x


def flatten(x: Array) -> Array:
    """Joins all axes after the first."""
    return x.reshape(x.shape[0], -1)
