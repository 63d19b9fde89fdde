"""A fingerprint of a run's data, so that the run is never resumed with other data.

In: columns. Out: their `DataFingerprint`. Always: an input's hash covers its numbers in the input's type, so the same numbers in another
format have the same hash. Of a large data set, samples at equal distances are hashed. An input whose numbers differ between two reads has
no hash, for example if a dataset augments at random.
"""

from __future__ import annotations

from collections.abc import Mapping
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
    """`inputs` has a hash for each input, or None. `path` names the data in messages."""

    path: str
    samples: int
    inputs: dict[str, str | None]

    def as_json(self) -> dict[str, Any]:
        return {"samples": self.samples, "inputs": self.inputs}

    def describe_change(self, before: Mapping[str, Any]) -> str | None:
        """Return a clause that describes the first difference, or None. `before` is a result of `as_json`."""
        if before["samples"] != self.samples:
            return f"`{self.path}` has {self.samples} samples, and had {before['samples']}"
        known = {name: value for name, value in before["inputs"].items() if value and self.inputs.get(name)}
        name = next((name for name, value in known.items() if self.inputs[name] != value), None)
        return None if name is None else f"`{self.path}` is not what it was: `{name}` has other numbers"


def fingerprint_data(columns: InputColumns) -> DataFingerprint:
    """Read some samples and hash them. Raises `DataError`."""
    limit = _MAX_DECODED if columns.source.decodes else max(1, _MAX_BYTES // max(1, columns.sample_bytes))
    chosen = np.linspace(0, len(columns) - 1, min(limit, len(columns))).astype(np.int64)
    arrays, reread = columns.read_batch(chosen), columns.read_batch(chosen[:_MAX_DECODED])
    inputs = {
        name: _hash_array(array) if _hash_array(array[:_MAX_DECODED]) == _hash_array(reread[name]) else None
        for name, array in arrays.items()
    }
    return DataFingerprint(columns.path, len(columns), inputs)


def _hash_array(array: Array) -> str:
    return blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
