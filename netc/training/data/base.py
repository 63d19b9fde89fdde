"""What all sources of data have in common.

A source is a class with a `format`; `open` reads headers only. Its `columns` say what there is, by name; `read` gives the arrays of some
samples.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netc.dsl.record import Record

Array = NDArray[Any]


class DataError(Exception):
    """Data that cannot be read. The text completes "cannot read `path`: ..."."""


class Column(Record):
    """A column by its type: `shape` is that of one sample, None if samples differ; `dtype` is NumPy's, None for text."""

    name: str
    shape: tuple[int, ...] | None
    dtype: np.dtype[Any] | None


class Source(Protocol):
    """Samples in columns, of which any can be read."""

    @property
    def columns(self) -> Mapping[str, Column]: ...

    def __len__(self) -> int: ...

    def read(self, names: tuple[str, ...], indices: NDArray[np.int64]) -> dict[str, Array]:
        """The arrays `[samples, ...]` of these columns."""
        ...


class ArraySource:
    """Columns that are arrays in memory, or mapped into it."""

    def __init__(self, arrays: Mapping[str, Array]) -> None:
        lengths = {name: len(array) for name, array in arrays.items() if array.ndim}
        scalars = [name for name, array in arrays.items() if not array.ndim]
        if scalars:
            raise DataError(f"`{scalars[0]}` is one number, not an array of samples")
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
            raise DataError(f"its columns differ in the number of samples: {shown}")
        self.arrays = dict(arrays)
        self.columns = {name: Column(name, array.shape[1:], array.dtype) for name, array in arrays.items()}
        self._count = next(iter(lengths.values()), 0)

    def __len__(self) -> int:
        return self._count

    def read(self, names: tuple[str, ...], indices: NDArray[np.int64]) -> dict[str, Array]:
        return {name: np.asarray(self.arrays[name])[indices] for name in names}
