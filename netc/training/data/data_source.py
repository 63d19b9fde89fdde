"""The protocol of all data sources, and the source of arrays.

A source holds samples in columns. Opening it reads only headers; `columns` describes the columns by name; `read` returns the arrays of some
samples. Always: a source that cannot be read raises `DataError`.

>>> source = ArraySource({"x": np.array([[1.0, 2.0], [3.0, 4.0]]), "label": np.array([0, 1])})
>>> len(source), source.columns["x"].shape
(2, (2,))
>>> source.read(("label",), np.array([1, 1]))["label"].tolist()
[1, 1]
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from netc.compiler.errors.problem import Problem
from netc.dsl.record import Record

Array = NDArray[Any]
Indices = NDArray[np.int64]


_KINDS = {"U": "text", "O": "text", "S": "bytes", "M": "dates", "m": "durations"}
"""The NumPy kinds that are not numbers, in words for messages."""
_CELL_KINDS = "UOM"
"""The NumPy kinds whose elements are texts or dates."""


class DataError(Exception):
    """Data that cannot be read. The text completes "cannot read `path`: ...", and `remedy` says what to do. `problem` is the full problem
    as a record, where the path is known."""

    def __init__(self, why: str, remedy: str = "", problem: Problem | None = None) -> None:
        super().__init__(why)
        self.remedy = remedy
        self.problem = problem


class TableColumn(Record):
    """The description of a column. `shape` is the shape of one sample, None if samples differ. `dtype` is the NumPy type, None if the
    column does not hold numbers; `kind` then says in words what it holds. `finite`: it cannot contain NaN or infinities. `has_cells`:
    reading the column returns texts or dates `[samples]`, which encodings.py can turn into numbers. `allows_missing`: NaN in it stands for
    a missing number, and the spec handles it."""

    name: str
    shape: tuple[int, ...] | None
    dtype: np.dtype[Any] | None
    kind: str = "text"
    finite: bool = False
    has_cells: bool = False
    allows_missing: bool = False

    @property
    def is_readable(self) -> bool:
        return self.dtype is not None or self.has_cells


class Source(Protocol):
    """Samples in columns, with random access. `decodes`: reading takes time to compute, and may be done ahead in a thread."""

    decodes: bool
    classes: tuple[str, ...]
    """The names of the classes, if the data has them."""

    @property
    def columns(self) -> Mapping[str, TableColumn]: ...

    def __len__(self) -> int: ...

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        """Return the arrays `[samples, ...]` of these columns. Raises `DataError`."""
        ...


def name_columns(names: Iterable[object], remedy: str = "") -> list[str]:
    """Return the names of columns as texts. Raises `DataError` if two are the same, because an input could read either."""
    texts = [str(name) for name in names]
    duplicate = next((name for name, count in Counter(texts).items() if count > 1), None)
    if duplicate is not None:
        raise DataError(f"two of its columns are called `{duplicate}`", remedy)
    return texts


class LazyArray(Record):
    """An array of samples that is read or memory-mapped at its first use."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    load: Callable[[], Array]


class ArraySource:
    """Columns that are arrays: in memory, memory-mapped, or loaded at their first use. `others` are columns that no input can read."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, arrays: Mapping[str, Array | LazyArray], others: Iterable[TableColumn] = ()) -> None:
        scalars = [name for name, array in arrays.items() if not array.shape]
        if scalars:
            raise DataError(f"`{scalars[0]}` is one number, not an array of samples")
        lengths = {name: array.shape[0] for name, array in arrays.items()}
        if len(set(lengths.values())) > 1:
            shown = ", ".join(f"`{name}` has {length}" for name, length in lengths.items())
            raise DataError(f"its columns differ in the number of samples: {shown}")
        self.arrays = dict(arrays)
        self.columns = {name: _describe_array(name, array) for name, array in arrays.items()} | {c.name: c for c in others}
        self._count = next(iter(lengths.values()), 0)

    def __len__(self) -> int:
        return self._count

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        return {name: np.asarray(self._load_array(name)).take(indices, 0) for name in names}

    def _load_array(self, name: str) -> Array:
        array = self.arrays[name]
        if isinstance(array, LazyArray):
            self.arrays[name] = array = array.load()
        return array


def describe_sample(source: Source, index: int) -> str:
    """Return words for a sample, to begin a sentence: `sample 7`, or where the file has it: `line 9`."""
    describe = getattr(source, "describe_sample", None)
    return f"sample {index}" if describe is None else str(describe(index))


def _describe_array(name: str, array: Array | LazyArray) -> TableColumn:
    kind = _KINDS.get(array.dtype.kind, "records" if array.dtype.fields else "")
    if not kind:
        return TableColumn(name, array.shape[1:], array.dtype)
    return TableColumn(name, array.shape[1:], None, kind, has_cells=array.dtype.kind in _CELL_KINDS)
