"""Numbers of a distribution by its quantiles: 32 random bits are a probability. The first 16 choose one of 65,536 equally likely parts of
the distribution, the others a place in the part.

In: a generator of bits. Out: arrays. Always: the bits are taken in their order whatever the type, so that the numbers of all types differ
by rounding, and large arrays of the half types, which take the middle of the part, by at most half a part more; tables, products and
sums alone, so that the numbers are the same on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from statistics import NormalDist

import numpy as np

from ..ir.elements import Array, NumpyType

PARTS = 1 << 16
_AT_ONCE = 1 << 17
"""Numbers that are looked up at once: what fits into the caches, and enough for threads to rarely wait for each other. It is even, since
a word of the generator is two."""
_quantile = NormalDist().inv_cdf


def fill_normal(bits: np.random.BitGenerator, numbers: Array) -> None:
    """Fills an array of float32 or float64 with numbers of the standard normal distribution: within a part, uniformly distributed ones."""
    starts, steps = _lines(numbers.dtype)
    part, place = _bits(bits, numbers.size)
    np.take(steps, part, out=numbers, mode="wrap")
    numbers *= place
    numbers += starts[part]
    for at, quantile in _at_the_ends(part, place):
        numbers[at] = quantile


def half_normal(bits: np.random.BitGenerator, numbers: Array, std: float, mean: float) -> Array:
    """The array, of a half type, filled with numbers of a normal distribution."""
    values = (_middles() * std + mean).astype(numbers.dtype)
    for begin in range(0, numbers.size, _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        part, place = _bits(bits, some.size)
        np.take(values, part, out=some, mode="wrap")
        for at, quantile in _at_the_ends(part, place):
            some[at] = quantile * std + mean
    return numbers


def half_uniform(bits: np.random.BitGenerator, numbers: Array, low: float, high: float) -> Array:
    """The array, of a half type, filled with numbers from `low` to `high`."""
    values = ((np.arange(PARTS) + 0.5) * ((high - low) / PARTS) + low).astype(numbers.dtype)
    for begin in range(0, numbers.size, _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        np.take(values, _bits(bits, some.size)[0], out=some, mode="wrap")
    return numbers


def _bits(bits: np.random.BitGenerator, count: int) -> tuple[Array, Array]:
    """For each number, its part and its place in it. The low half of a word is the first number."""
    words = bits.random_raw((count + 1) // 2).astype("<u8", copy=False).view("<u2")
    return np.ascontiguousarray(words[1::2][:count]), words[::2][:count]


def _at_the_ends(part: Array, place: Array) -> Iterator[tuple[int, float]]:
    """Where the part is the first or the last, which have no end and become 1 and 0 when 1 is added; and the quantile there."""
    for at in np.flatnonzero(part + np.uint16(1) < 2):
        yield int(at), _quantile((int(part[at]) * PARTS + int(place[at]) + 0.5) / PARTS**2)


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
