"""Random bits for each parameter, from a counter-based generator.

In: a seed and the name of a parameter. Out: three independent generators of bits. Always: the bits depend only on the seed, the name and
the number of bits drawn before, so a parameter keeps its values when other parameters are added or removed.

    >>> bits = ParameterBits(seed=7)
    >>> bits.seek_parameter("fc.weight")
    >>> first = draw_uint16(bits.stratum_bits, 4)
    >>> bits.seek_parameter("fc.weight")
    >>> bool((draw_uint16(bits.stratum_bits, 4) == first).all())
    True
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

from ..types.numpy_types import Array


class ParameterBits:
    """Three generators: for the stratum of a distribution (and uniform numbers), for the position in a stratum, and for the two tails."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        # A new Philox reads entropy from the operating system even if it gets a key, so the generators are made once and re-keyed.
        self._generators = [np.random.Philox(key=0) for _ in range(3)]
        self._fresh: Any = self._generators[0].state
        self._keyed = [False] * 3

    def seek_parameter(self, name: str) -> None:
        """Start the bits of a parameter; the next access to each generator re-keys it."""
        key = blake2b(f"{self._seed}:{name}".encode(), digest_size=16).digest()
        self._fresh["state"]["key"] = np.frombuffer(key, "<u8")
        self._keyed = [False] * 3

    @property
    def stratum_bits(self) -> np.random.BitGenerator:
        return self._seek_generator(0)

    @property
    def position_bits(self) -> np.random.BitGenerator:
        return self._seek_generator(1)

    @property
    def tail_bits(self) -> np.random.BitGenerator:
        return self._seek_generator(2)

    def _seek_generator(self, number: int) -> np.random.BitGenerator:
        generator = self._generators[number]
        if not self._keyed[number]:
            # The last word of the counter keeps the streams of one name 2**192 blocks apart.
            self._fresh["state"]["counter"][3] = number
            generator.state = self._fresh
            self._keyed[number] = True
        return generator


def draw_uint16(bits: np.random.BitGenerator, count: int) -> Array:
    """Draw 16-bit integers, four from each 64-bit word with its lowest bits first. Unused bits of the last word are dropped."""
    return bits.random_raw((count + 3) // 4).astype("<u8", copy=False).view("<u2")[:count]
