"""A source of samples that are read from shards one after the other, without random access to a shard.

In: the shards with their numbers of samples, a function that reads a shard from some sample on, and one that turns samples into arrays.
Out: a `StreamedSource`. Always: `read` returns the requested samples, in any order. It is fast for the order of a `ShardLayout`: each shard
is read once, and the samples that shuffling moves back wait in memory. After a jump, as when a run is resumed, it opens the shard again.

>>> shards = (Shard("a", "a", 0, 2), Shard("b", "b", 0, 3))
>>> source = StreamedSource(
...     shards,
...     ShardLayout((2, 3), 0, 1),
...     {"x": TableColumn("x", (), np.dtype(np.int64))},
...     lambda shard, start: iter(range(start, shard.samples)),
...     lambda names, samples: {"x": np.array([number for _, number in samples])},
... )
>>> len(source), source.read(("x",), np.array([4, 0]))["x"].tolist(), source.describe_sample(3)
(5, [2, 0], 'sample 1 of `b`')
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from netc.dsl.record import Record

from .data_source import Array, DataError, Indices, TableColumn
from .shard_layout import ShardLayout

T = TypeVar("T")


class Shard(Record):
    """A file with a part of the samples. `name` is its path in messages, `bytes` the size of the file."""

    name: str
    path: str
    bytes: int
    samples: int


ReadShard = Callable[[Shard, int], Iterator[T]]
"""Reads the samples of a shard, beginning with the sample of this number."""
ConvertSamples = Callable[[tuple[str, ...], Sequence[tuple[str, T]]], dict[str, Array]]
"""Converts samples, each with its description, to an array for each of the named columns."""


class StreamedSource(Generic[T]):
    """Samples in shards. `class_names` has the names of classes by column."""

    decodes = True
    classes: tuple[str, ...] = ()

    def __init__(
        self,
        shards: Sequence[Shard],
        layout: ShardLayout,
        columns: Mapping[str, TableColumn],
        read_shard: ReadShard[T],
        convert: ConvertSamples[T],
        class_names: Mapping[str, tuple[str, ...]] = {},
    ) -> None:
        self.shards, self.layout, self.columns = tuple(shards), layout, dict(columns)
        self.class_names = dict(class_names)
        self._read_shard, self._convert = read_shard, convert
        self._starts = layout.starts
        self._readers: OrderedDict[int, ShardReader[T]] = OrderedDict()
        """The shards that were read last, in the order of their last use."""

    def __len__(self) -> int:
        return int(self._starts[-1])

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        shards = np.searchsorted(self._starts, indices, side="right") - 1
        samples: dict[int, T] = {}
        for shard in dict.fromkeys(shards.tolist()):
            first = int(self._starts[shard])
            numbers = np.unique(indices[shards == shard]) - first
            samples |= {first + number: sample for number, sample in self._read_samples(shard, numbers.tolist()).items()}
        self._forget_readers()
        return self._convert(names, [(self.describe_sample(index), samples[index]) for index in indices.tolist()])

    def describe_sample(self, index: int) -> str:
        shard = int(np.searchsorted(self._starts, index, side="right")) - 1
        return f"sample {index - int(self._starts[shard])} of `{self.shards[shard].name}`"

    def _read_samples(self, shard: int, numbers: list[int]) -> dict[int, T]:
        """Read samples of a shard by their sorted numbers in it."""
        reader = self._readers.get(shard)
        if reader is None or not reader.can_read(numbers):
            # Samples that shuffling moves back may be asked for later.
            start = max(0, min(numbers[0], numbers[-1] - self.layout.lane_window))
            reader = ShardReader(self.shards[shard], self._read_shard(self.shards[shard], start), start, self.layout.lane_window)
            self._readers[shard] = reader
        self._readers.move_to_end(shard)
        return reader.read_samples(numbers)

    def _forget_readers(self) -> None:
        """Close the shards that have not been used for long, and those from which nothing is left."""
        for shard in [shard for shard, reader in self._readers.items() if reader.is_done]:
            del self._readers[shard]
        kept = sum(len(reader.kept) for reader in self._readers.values())
        # In the order of a layout, a lane has one shard that is read, and perhaps several that have been read and have samples left.
        opened = sum(not reader.is_exhausted for reader in self._readers.values())
        for shard, reader in list(self._readers.items())[:-1]:
            if kept > 2 * self.layout.window or (not reader.is_exhausted and opened > 2 * self.layout.lanes):
                kept, opened = kept - len(reader.kept), opened - (not reader.is_exhausted)
                del self._readers[shard]


class ShardReader(Generic[T]):
    """The reading of one shard. `kept` has the samples that were read and not asked for yet, by number: those that shuffling may have moved
    back by `window` places."""

    def __init__(self, shard: Shard, samples: Iterator[T], start: int, window: int) -> None:
        self.shard, self.samples, self.position, self.window = shard, samples, start, window
        self.kept: dict[int, T] = {}

    @property
    def is_exhausted(self) -> bool:
        return self.position == self.shard.samples

    @property
    def is_done(self) -> bool:
        return self.is_exhausted and not self.kept

    def can_read(self, numbers: list[int]) -> bool:
        """Whether none of the samples has been passed over."""
        return all(number >= self.position or number in self.kept for number in numbers)

    def read_samples(self, numbers: list[int]) -> dict[int, T]:
        """Read samples by their sorted numbers. Raises `DataError` if the shard ends before."""
        wanted, samples = {*numbers}, {number: self.kept.pop(number) for number in numbers if number in self.kept}
        while self.position <= numbers[-1]:
            sample: Any = next(self.samples, None)
            if sample is None:
                why = f"`{self.shard.name}` has {self.position} samples, and had {self.shard.samples} when it was opened"
                raise DataError(why, "do not change the shards of a run")
            (samples if self.position in wanted else self.kept)[self.position] = sample
            self.kept.pop(self.position - 1 - self.window, None)
            self.position += 1
        if self.is_exhausted:  # closes the file
            self.samples = iter(())
        return samples
