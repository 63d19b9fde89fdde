"""Stratified sampling by quantiles: 16 random bits choose one of 65,536 equally likely strata of the distribution, and 16 other bits choose
a position in the stratum.

In: random bits. Out: arrays. Always: the numbers are the same on every machine, because they are made by table lookups, products and sums.
Strata and positions have streams of bits of their own. So the values of float32 and float64 differ by rounding only, and large arrays of
half types, which take the center of the stratum, by at most half a stratum more. Uniform numbers of half types use the upper 16 of the 32
bits from which NumPy draws a float32.

    >>> bits = ParameterBits(seed=7)
    >>> bits.seek_parameter("fc.weight")
    >>> fill_normal(bits, numbers := np.empty(100_000))
    >>> round(float(abs(numbers.mean())), 2), round(float(numbers.std()), 2)
    (0.0, 1.0)
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from statistics import NormalDist

import numpy as np

from ..types.numpy_types import Array, NumpyType
from .bits import ParameterBits, draw_uint16

PARTS = 1 << 16
_AT_ONCE = 1 << 17
"""Numbers that are looked up at once: they fit into the caches, and threads rarely wait for the GIL. It is a multiple of four, because a
word of the generator holds four strata."""
_quantile = NormalDist().inv_cdf


def fill_normal(bits: ParameterBits, numbers: Array) -> None:
    """Fill an array of float32 or float64 with standard normal numbers, distributed uniformly within each stratum."""
    starts, steps = _linear_pieces(numbers.dtype)
    part = draw_uint16(bits.stratum_bits, numbers.size)
    index = part.astype(np.int64)  # once for both tables
    # With the default mode, NumPy buffers `out`; 16 bits are always a valid index.
    np.take(steps, index, out=numbers, mode="wrap")
    numbers *= draw_uint16(bits.position_bits, numbers.size)
    numbers += np.take(starts, index, mode="wrap")
    for position, quantile in _iterate_tail_quantiles(bits, part):
        numbers[position] = quantile


def draw_half_normal(bits: ParameterBits, numbers: Array, std: float, mean: float) -> Array:
    """Fill an array of a half type with normal numbers, and return it."""
    values = (_stratum_centers() * std + mean).astype(numbers.dtype)
    for begin in range(0, numbers.size, _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        part = draw_uint16(bits.stratum_bits, some.size)
        np.take(values, part, out=some, mode="wrap")
        for index, quantile in _iterate_tail_quantiles(bits, part):
            some[index] = quantile * std + mean
    return numbers


def half_uniform(bits: ParameterBits, numbers: Array, low: float, high: float) -> Array:
    """Fill an array of a half type with uniform numbers from `low` to `high`, and return it."""
    values = ((np.arange(PARTS) + 0.5) * ((high - low) / PARTS) + low).astype(numbers.dtype)
    for begin in range(0, numbers.size, _AT_ONCE):
        some = numbers[begin : begin + _AT_ONCE]
        # The upper halves of the 32 bits from which NumPy draws a float32, so both types get nearly the same numbers.
        part = np.ascontiguousarray(draw_uint16(bits.stratum_bits, 2 * some.size)[1::2])
        np.take(values, part, out=some, mode="wrap")
    return numbers


def _iterate_tail_quantiles(bits: ParameterBits, part: Array) -> Iterator[tuple[int, float]]:
    """Yield the indices of numbers in the first and last stratum, which are unbounded, each with a quantile drawn from the tail."""
    # Adding 1 wraps the last stratum to 0 and makes the first one 1, so one comparison finds both.
    for index in np.flatnonzero(part + np.uint16(1) < 2):
        quantile = _quantile((int(bits.tail_bits.random_raw()) + 0.5) / (PARTS << 64))
        yield int(index), -quantile if part[index] else quantile


@cache
def _stratum_edges() -> Array:
    """Return the quantiles between neighboring strata."""
    return np.asarray([_quantile(n / PARTS) for n in range(1, PARTS)])


@cache
def _linear_pieces(dtype: NumpyType) -> tuple[Array, Array]:
    """Return for each stratum its first number and the distance between positions; both are 0 in the two unbounded ones."""
    edges = _stratum_edges()
    steps = (edges[1:] - edges[:-1]) / PARTS
    starts = edges[:-1] + steps / 2
    return np.pad(starts, 1).astype(dtype), np.pad(steps, 1).astype(dtype)


@cache
def _stratum_centers() -> Array:
    edges = _stratum_edges()
    return np.pad((edges[1:] + edges[:-1]) / 2, 1)
