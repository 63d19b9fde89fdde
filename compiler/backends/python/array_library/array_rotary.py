"""Rotary positions."""

from __future__ import annotations

from .array_words import Array, xp


def apply_rotary(x: Array, cos: Array, sin: Array) -> Array:
    """Rotates the pairs of features i and i + D/2 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = xp.split(x, 2, axis=-1)
    return xp.concatenate((first * cos - second * sin, second * cos + first * sin), axis=-1)


def apply_rotary_interleaved(x: Array, cos: Array, sin: Array) -> Array:
    """Rotates the pairs of features 2 i and 2 i + 1 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = x[..., ::2], x[..., 1::2]
    return xp.stack((first * cos - second * sin, second * cos + first * sin), axis=-1).reshape(x.shape)
