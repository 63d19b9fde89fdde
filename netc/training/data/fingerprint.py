"""What a run's data are, in a few bytes: so that it is never continued with others.

In: columns. Out: their `Content`. Always: a hash is that of the numbers in the type of the input, so that the same numbers in another
format have the same; of many samples, those at equal distances are read; an input that is given other numbers each time it is read, as
a dataset that draws at random does, has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import numpy as np

from netc.dsl.record import Record

from .data_columns import Columns
from .data_source import Array

_MOST = 16 << 20
"""Bytes that are read."""
_FEW = 32
"""Samples that are read where each has to be decoded, and twice in any case."""


class Content(Record):
    """What data are. `inputs` has a hash for each input, None where there is none; `path` is that of messages."""

    path: str
    samples: int
    inputs: dict[str, str | None]

    def as_json(self) -> dict[str, Any]:
        return {"samples": self.samples, "inputs": self.inputs}

    def change(self, before: Mapping[str, Any]) -> str | None:
        """What is not as before, as a clause. `before` was made by `as_json`."""
        if before["samples"] != self.samples:
            return f"`{self.path}` has {self.samples} samples, and had {before['samples']}"
        known = {name: value for name, value in before["inputs"].items() if value and self.inputs.get(name)}
        name = next((name for name, value in known.items() if self.inputs[name] != value), None)
        return None if name is None else f"`{self.path}` is not what it was: `{name}` has other numbers"


def content_of(columns: Columns) -> Content:
    """Raises `DataError`."""
    most = _FEW if columns.source.decodes else max(1, _MOST // max(1, columns.sample_bytes))
    chosen = np.linspace(0, len(columns) - 1, min(most, len(columns))).astype(np.int64)
    found, again = columns.batch(chosen), columns.batch(chosen[:_FEW])
    inputs = {name: _hash(array) if _hash(array[:_FEW]) == _hash(again[name]) else None for name, array in found.items()}
    return Content(columns.path, len(columns), inputs)


def _hash(array: Array) -> str:
    return blake2b(np.ascontiguousarray(array).tobytes(), digest_size=16).hexdigest()
