"""A fingerprint of a run's data, so that the run is never resumed with other data.

In: columns. Out: their `DataFingerprint`. Always: an input's hash covers its numbers in the input's type, so the same numbers in another
format have the same hash. Of a large data set, samples at equal distances are hashed. An input whose numbers differ between two reads has
no hash, for example if a dataset augments at random. Of a stream, the first samples of some shards are hashed, and the sizes of all shards
are compared.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any

import numpy as np

from netc.dsl.record import Record

from .data_columns import InputColumns
from .data_source import Array

_MAX_BYTES = 16 << 20
"""The largest number of bytes that are read."""
_MAX_DECODED = 32
"""The largest number of samples that are read if each has to be decoded, and the number that are read twice."""


class DataFingerprint(Record):
    """`inputs` has a hash for each input, or None. `path` names the data in messages. `shards` has the name, the size in bytes and
    the number of samples of each shard of a stream."""

    path: str
    samples: int
    inputs: dict[str, str | None]
    shards: tuple[tuple[str, int, int], ...] = ()

    def as_json(self) -> dict[str, Any]:
        shards = {"shards": [list(shard) for shard in self.shards]} if self.shards else {}
        return {"samples": self.samples, "inputs": self.inputs, **shards}

    def describe_change(self, before: Mapping[str, Any]) -> str | None:
        """Return a clause that describes the first difference, or None. `before` is a result of `as_json`."""
        shard = self._describe_changed_shard([tuple(shard) for shard in before.get("shards", ())])
        if shard is not None:
            return shard
        if before["samples"] != self.samples:
            return f"`{self.path}` has {self.samples} samples, and had {before['samples']}"
        known = {name: value for name, value in before["inputs"].items() if value and self.inputs.get(name)}
        name = next((name for name, value in known.items() if self.inputs[name] != value), None)
        return None if name is None else f"`{self.path}` is not what it was: `{name}` has other numbers"

    def _describe_changed_shard(self, before: Sequence[tuple[str, int, int]]) -> str | None:
        if len(before) != len(self.shards):
            return f"`{self.path}` has {len(self.shards)} shards, and had {len(before)}"
        for (name, size, samples), (old_name, old_size, old_samples) in zip(self.shards, before, strict=True):
            if name != old_name:
                return f"`{self.path}` has the shard `{name}` in the place of `{old_name}`"
            if (size, samples) != (old_size, old_samples):
                return f"`{name}` has {size:,} bytes and {samples} samples, and had {old_size:,} bytes and {old_samples} samples"
        return None


def fingerprint_data(columns: InputColumns) -> DataFingerprint:
    """Read some samples and hash them. Raises `DataError`."""
    limit = _MAX_DECODED if columns.source.decodes else max(1, _MAX_BYTES // max(1, columns.sample_bytes))
    if columns.layout is not None:
        chosen = columns.layout.list_first_samples(_MAX_DECODED)
    else:
        chosen = np.linspace(0, len(columns) - 1, min(limit, len(columns))).astype(np.int64)
    arrays, reread = columns.read_batch(chosen), columns.read_batch(chosen[:_MAX_DECODED])
    inputs = {
        name: _hash_array(array) if _hash_array(array[:_MAX_DECODED]) == _hash_array(reread[name]) else None
        for name, array in arrays.items()
    }
    return DataFingerprint(columns.path, len(columns), inputs, columns.shards)


def _hash_array(array: Array) -> str:
    return blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
