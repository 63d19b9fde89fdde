"""The order of samples that are read from shards one after the other.

In: the numbers of samples in the shards, a window for shuffling, and how many shards are read at the same time. Out: the samples of an
epoch in their order. Always: the order depends on the sizes and on `shuffle` alone, so it is the same for any number of processes, and a
resumed run finds its position by the number of its step. No sample moves by more than the window, so a reader keeps few samples.

The shards are dealt to *lanes*, which take turns: sample k of an epoch is from lane k modulo their number. Process r of R selects the
samples r, r + R, ... of a batch, so it reads only the lanes r, r + R, ... if R divides the number of lanes and the size of a batch.

>>> layout = ShardLayout((3, 2, 2), window=0, interleave=2)
>>> layout.order_samples(lambda numbers: numbers).tolist()  # the shards 0 and 1 take turns, then shard 2 follows shard 1
[0, 3, 1, 4, 2, 5, 6]
"""

from __future__ import annotations

from collections.abc import Callable
from heapq import heapify, heapreplace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

from .data_source import Indices

Moves = NDArray[np.floating[Any]]
Shuffle = Callable[[Indices], Indices]
"""A function that permutes numbers, always in the same way for the same length."""


class ShardLayout(Record):
    """The numbers of samples in the shards. `window`: how many samples are kept in memory to shuffle them, for all lanes together.
    `interleave`: how many shards are read at the same time."""

    sizes: tuple[int, ...]
    window: int
    interleave: int

    @property
    def starts(self) -> Indices:
        """The number of the first sample of each shard, and of all samples."""
        return np.cumsum([0, *self.sizes])

    @property
    def lanes(self) -> int:
        """The number of shards that are read at the same time."""
        return min(self.interleave, len(self.sizes))

    @property
    def lane_window(self) -> int:
        """The largest distance by which shuffling moves a sample in its lane."""
        return self.window // self.lanes

    def order_samples(self, shuffle: Shuffle) -> Indices:
        """Return the samples of an epoch in their order."""
        moves = self._draw_moves(shuffle)
        lanes = [self._order_lane(shards, moves) for shards in self._deal_shards(shuffle)]
        turns = np.concatenate([np.arange(len(lane)) for lane in lanes])
        numbers = np.repeat(np.arange(len(lanes)), [len(lane) for lane in lanes])
        order: Indices = np.concatenate(lanes)[np.lexsort((numbers, turns))]
        return order

    def _deal_shards(self, shuffle: Shuffle) -> list[list[int]]:
        """Deal the shards to lanes: each to the lane that has the fewest samples so far, so that all lanes end at about the same time."""
        dealt: list[list[int]] = [[] for _ in range(self.lanes)]
        totals = [(0, lane) for lane in range(self.lanes)]
        heapify(totals)
        for shard in shuffle(np.arange(len(self.sizes))).tolist():
            total, lane = totals[0]
            dealt[lane].append(shard)
            heapreplace(totals, (total + self.sizes[shard], lane))
        return dealt

    def _draw_moves(self, shuffle: Shuffle) -> Moves:
        """Draw by how many places each sample moves back. A permutation divided by its length is uniform."""
        count = sum(self.sizes)
        moves: Moves = shuffle(np.arange(count)) * (self.lane_window / count)
        return moves

    def _order_lane(self, shards: list[int], moves: Moves) -> Indices:
        """Return the samples of a lane in their order. A buffer of `lane_window` samples can produce it: when a sample leaves, the samples
        before it that are still there are nearer than that."""
        starts = self.starts
        samples = np.concatenate([np.arange(starts[shard], starts[shard + 1]) for shard in shards])
        return samples[np.argsort(np.arange(len(samples)) + moves[samples], kind="stable")]

    def list_first_samples(self, most: int) -> Indices:
        """Return the first sample of each shard, of at most this many shards at equal distances."""
        shards = np.linspace(0, len(self.sizes) - 1, min(most, len(self.sizes))).astype(np.int64)
        return self.starts[:-1][shards]
