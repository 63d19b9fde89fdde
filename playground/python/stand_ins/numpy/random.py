"""Random numbers: NumPy's generator Philox, and uniform numbers as NumPy makes them of it.

So the weights that netc makes of them are those that `netc run --seed` draws; where they are truncated, but for the last bits.
"""

from __future__ import annotations

import math

from .arrays import Array
from .dtypes import dtype

_MASK = (1 << 64) - 1
_MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
_STEPS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)


class Philox:
    """Counter-based random bits. Setting `state` begins anew with its key and its counter."""

    def __init__(self, key=0):
        self._fresh = {"state": {"key": [key, 0], "counter": [0, 0, 0, 0]}}
        self.state = self._fresh

    @property
    def state(self):
        return self._fresh

    @state.setter
    def state(self, given):
        self.key = list(given["state"]["key"])
        self.counter = sum(word << 64 * n for n, word in enumerate(given["state"]["counter"]))
        self.words, self.half = [], None

    def word(self):
        """64 bits."""
        if not self.words:
            self.counter += 1
            self.words = self._block()[::-1]
        return self.words.pop()

    def _block(self):
        c = [self.counter >> 64 * n & _MASK for n in range(4)]
        k0, k1 = self.key
        for _ in range(10):
            a, b = c[0] * _MULTIPLIERS[0], c[2] * _MULTIPLIERS[1]
            c = [(b >> 64) ^ c[1] ^ k0, b & _MASK, (a >> 64) ^ c[3] ^ k1, a & _MASK]
            k0, k1 = (k0 + _STEPS[0]) & _MASK, (k1 + _STEPS[1]) & _MASK
        return c

    def random_raw(self, count=None):
        if count is None:
            return self.word()
        return Array.make([self.word() for _ in range(count)], (count,), dtype("uint64"))

    def half_word(self):
        """32 bits: the low half of a word first."""
        if self.half is not None:
            half, self.half = self.half, None
            return half
        word = self.word()
        self.half = word >> 32
        return word & 0xFFFFFFFF


class Generator:
    """Numbers made of random bits."""

    def __init__(self, bits):
        self.bit_generator = bits

    def random(self, shape=(), dtype="float64", out=None):
        """Uniform numbers from 0 to 1."""
        return _filled(self._single if _kind(dtype) == "float32" else self._double, shape, dtype, out)

    def _single(self):
        return (self.bit_generator.half_word() >> 8) * 2.0**-24

    def _double(self):
        return (self.bit_generator.word() >> 11) * 2.0**-53


def _kind(kind):
    return dtype(kind).name


def _filled(draw, shape, kind, out):
    shape = (shape,) if isinstance(shape, int) else tuple(shape)
    shape, kind = shape if out is None else out.shape, dtype(kind)
    made = Array.make([kind.cast(draw()) for _ in range(math.prod(shape))], shape, kind)
    if out is None:
        return made
    out[:] = made
    return out
