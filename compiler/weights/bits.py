"""Random bits for one parameter after the other.

In: a seed, and the name of each. Out: three generators of bits, independent of each other. Always: what a generator gives depends on the
seed, the name, and how much was taken from it alone.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np

from ..types.numpy_types import Array


class Bits:
    """The generators: of uniform numbers and the parts of a distribution, of places in a part, and of numbers at the ends.

    They are made once and keyed anew for every name, since making one asks the system for randomness that nobody wants. All three have the
    name's key; they count from places that are 2**192 apart."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._generators = [np.random.Philox(key=0) for _ in range(3)]
        self._fresh: Any = self._generators[0].state
        self._keyed = [False] * 3

    def begin(self, name: str) -> None:
        """From here on the bits are those of the name."""
        key = blake2b(f"{self._seed}:{name}".encode(), digest_size=16).digest()
        self._fresh["state"]["key"] = np.frombuffer(key, "<u8")
        self._keyed = [False] * 3

    @property
    def parts(self) -> np.random.BitGenerator:
        return self._at(0)

    @property
    def places(self) -> np.random.BitGenerator:
        return self._at(1)

    @property
    def ends(self) -> np.random.BitGenerator:
        return self._at(2)

    def _at(self, number: int) -> np.random.BitGenerator:
        generator = self._generators[number]
        if not self._keyed[number]:
            self._fresh["state"]["counter"][3] = number
            generator.state = self._fresh
            self._keyed[number] = True
        return generator


def sixteens(bits: np.random.BitGenerator, count: int) -> Array:
    """Numbers of 16 bits, four of each word, its lowest bits first. What is left of the last word is dropped."""
    return bits.random_raw((count + 3) // 4).astype("<u8", copy=False).view("<u2")[:count]
