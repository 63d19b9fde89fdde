"""The order of samples: a function of seed, epoch and position alone.

In: the number of samples, and one integer for the position. Out: the indices of the samples of a step. Always: the same whatever the number
of processes or workers, and after an interruption.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

Indices = NDArray[np.int64]


class Order(Record):
    """Steps of `batch` samples, a new permutation each epoch; the last step of an epoch has what is left."""

    count: int
    batch: int
    seed: int

    @property
    def steps_per_epoch(self) -> int:
        return -(-self.count // self.batch)

    def epoch(self, number: int) -> Indices:
        """The permutation of one epoch."""
        generator = np.random.Generator(np.random.Philox(key=np.array([self.seed, number], dtype=np.uint64)))
        return generator.permutation(self.count).astype(np.int64)

    def step(self, number: int) -> Indices:
        """The samples of the step with this number, counted from 0 over all epochs."""
        epoch, at = divmod(number, self.steps_per_epoch)
        return self.epoch(epoch)[at * self.batch : (at + 1) * self.batch]


def split(count: int, share: float, seed: int) -> tuple[Indices, Indices]:
    """The indices for training, and those for validation, which are that share of all, at least one of each."""
    held = min(max(1, round(count * share)), count - 1)
    generator = np.random.Generator(np.random.Philox(key=np.array([seed, 2**63], dtype=np.uint64)))
    mixed = generator.permutation(count).astype(np.int64)
    return np.sort(mixed[held:]), np.sort(mixed[:held])
