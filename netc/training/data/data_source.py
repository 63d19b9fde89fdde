"""What all sources of data have in common.

A source has samples in columns. Opening one reads headers only; its `columns` say what there is, by name; `read` gives the arrays of some
samples. Always: what cannot be read is a `DataError`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netc.compiler.errors.problem import Problem
from netc.dsl.record import Record

Array = NDArray[Any]
Indices = NDArray[np.int64]


_KINDS = {"U": "text", "S": "text", "M": "dates", "m": "durations"}
"""What is no number, by NumPy's kinds of types."""


class DataError(Exception):
    """Data that cannot be read. The text completes "cannot read `path`: ...", and `remedy` says what to do. `problem` is the whole as a
    record, where the path is known."""

    def __init__(self, why: str, remedy: str = "", problem: Problem | None = None) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.problem = problem


class Column(Record):
    """A column by its type: `shape` is that of one sample, None if samples differ; `dtype` is NumPy's, None for what is no number, which
    `kind` says in words. `finite`: it cannot have NaN or infinities."""

    name: str
    shape: tuple[int, ...] | None
    dtype: np.dtype[Any] | None
    kind: str = "text"
    finite: bool = False


class Source(Protocol):
    """Samples in columns, of which any can be read. `decodes`: reading computes, and can be done ahead, in a thread."""

    decodes: bool
    classes: tuple[str, ...]
    """What the labels mean, if the data say so."""

    @property
    def columns(self) -> Mapping[str, Column]: ...

    def __len__(self) -> int: ...

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        """The arrays `[samples, ...]` of these columns. Raises `DataError`."""
        ...


class LazyArray(Record):
    """An array of samples that is read, or mapped into memory, when it is first needed."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], Array]


class ArraySource:
    """Columns that are arrays in memory, mapped into it, or read into it when they are needed."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, arrays: Mapping[str, Array | LazyArray]) -> None:
        scalars = [name for name, array in arrays.items() if not array.shape]
        if scalars:
            raise DataError(f"`{scalars[0]}` is one number, not an array of samples")
        lengths = {name: array.shape[0] for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
            raise DataError(f"its columns differ in the number of samples: {shown}")
        self.arrays = dict(arrays)
        self.columns = {name: _column(name, array) for name, array in arrays.items()}
        self._count = next(iter(lengths.values()), 0)

    def __len__(self) -> int:
        return self._count

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {name: np.asarray(self._array(name)).take(indices, 0) for name in names}

    def _array(self, name: str) -> Array:
        found = self.arrays[name]
        if isinstance(found, LazyArray):
            self.arrays[name] = found = found.load()
        return found


def _column(name: str, array: Array | LazyArray) -> Column:
    kind = _KINDS.get(array.dtype.kind, "records" if array.dtype.fields else "")
    return Column(name, array.shape[1:], None, kind) if kind else Column(name, array.shape[1:], array.dtype)
