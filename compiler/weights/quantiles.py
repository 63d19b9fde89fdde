"""Numbers of a distribution by its quantiles: 16 random bits choose one of 65,536 equally likely parts of the distribution, 16 others a
place in the part.

In: random bits. Out: arrays. Always: parts and places of normal numbers are taken in order, each from bits of their own, so that the
numbers of all types differ by rounding, and large arrays of the half types, which take the middle of the part, by at most half a part more;
tables, products and sums alone, so that the numbers are the same on every machine. Uniform numbers of the half types are as near to those
that NumPy draws in float32, from whose bits they are made.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from statistics import NormalDist

import numpy as np

from ..types.numpy_types import Array, NumpyType
from .bits import Bits, sixteens

PARTS = 1 << 16
_AT_ONCE = 1 << 17
"""Numbers that are looked up at once: what fits into the caches, and enough for threads to rarely wait for each other. It is a multiple
of four, since a word of the generator is four parts."""
_quantile = NormalDist().inv_cdf


def fill_normal(bits: Bits, numbers: Array) -> None:
    """Fills an array of float32 or float64 with numbers of the standard normal distribution: within a part, uniformly distributed ones."""
    starts, steps = _lines(numbers.dtype)
    part = sixteens(bits.parts, numbers.size)
    index = part.astype(np.int64)  # once for both tables
    np.take(steps, index, out=numbers, mode="wrap")
    numbers *= sixteens(bits.places, numbers.size)
    numbers += np.take(starts, index, mode="wrap")
    for at, quantile in _at_the_ends(bits, part):
        numbers[at] = quantile


def half_normal(bits: Bits, numbers: Array, std: float, mean: float) -> Array:
    """The array, of a half type, filled with numbers of a normal distribution."""
    values = (_middles() * std + mean).astype(numbers.dtype)
    for begin in range(0, numbers.size, _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        part = sixteens(bits.parts, some.size)
        np.take(values, part, out=some, mode="wrap")
        for at, quantile in _at_the_ends(bits, part):
            some[at] = quantile * std + mean
    return numbers


def half_uniform(bits: Bits, numbers: Array, low: float, high: float) -> Array:
    """The array, of a half type, filled with numbers from `low` to `high`. The part is the high half of the 32 bits that float32 takes."""
    values = ((np.arange(PARTS) + 0.5) * ((high - low) / PARTS) + low).astype(numbers.dtype)
    for begin in range(0, numbers.size, _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        part = np.ascontiguousarray(sixteens(bits.parts, 2 * some.size)[1::2])
        np.take(values, part, out=some, mode="wrap")
    return numbers


def _at_the_ends(bits: Bits, part: Array) -> Iterator[tuple[int, float]]:
    """Where the part is the first or the last, which have no end and become 1 and 0 when 1 is added; and a quantile in it."""
    for at in np.flatnonzero(part + np.uint16(1) < 2):
        quantile = _quantile((int(bits.ends.random_raw()) + 0.5) / (PARTS << 64))
        yield int(at), -quantile if part[at] else quantile


@cache
def _edges() -> Array:
    """The quantiles that are between the parts."""
    return np.asarray([_quantile(n / PARTS) for n in range(1, PARTS)])


@cache
def _lines(dtype: NumpyType) -> tuple[Array, Array]:
    """For each part the number of its first place, and the distance between places; both 0 in the first and the last."""
    edges = _edges()
    steps = (edges[1:] - edges[:-1]) / PARTS
    starts = edges[:-1] + steps / 2
    return np.pad(starts, 1).astype(dtype), np.pad(steps, 1).astype(dtype)


@cache
def _middles() -> Array:
    edges = _edges()
    return np.pad((edges[1:] + edges[:-1]) / 2, 1)
