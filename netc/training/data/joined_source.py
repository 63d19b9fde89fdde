"""Several sources as one: the samples of a section that has several `data` lines, one source after the other.

In: sources, and the columns by input for each. Out: a `JoinedSource` with the columns under the names of the first source. Always: only
columns that all sources have are part of it. A column of numbers has the type to which NumPy promotes the types of all sources; a column
that is text in one csv file is text in all.

    >>> from .data_source import ArraySource
    >>> first, second = ArraySource({"x": np.array([1, 2])}), ArraySource({"X": np.array([0.5])})
    >>> source = JoinedSource((first, second), ({}, {"x": "X"}))
    >>> len(source), source.read(("x",), np.array([2, 0]))
    (3, {'x': array([0.5, 1. ])})
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np

from .data_columns import ColumnSpec
from .data_source import Array, DataError, Indices, Source, TableColumn, describe_sample

Names = Mapping[str, str]
"""The names of columns in a source, by their names in the first source."""


class JoinedSource:
    """The samples of several sources. `names` has the other names of columns in each source. `sizes`: their numbers of samples."""

    def __init__(self, sources: Sequence[Source], names: Sequence[Names]) -> None:
        self.sources, self.names = tuple(sources), tuple(names)
        self.sizes = tuple(map(len, sources))
        self.starts = np.cumsum([0, *self.sizes])
        self.decodes = any(source.decodes for source in sources)
        self.classes = sources[0].classes
        self.columns = {name: column for name in sources[0].columns if (column := self._join_column(name)) is not None}

    @property
    def class_names(self) -> dict[str, tuple[str, ...]]:
        """The names of classes by column, which are the same in all sources."""
        return getattr(self.sources[0], "class_names", {})

    def __len__(self) -> int:
        return sum(self.sizes)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        numbers = np.searchsorted(self.starts, indices, side="right") - 1
        # the positions of the samples in the concatenation below
        positions = np.empty(len(indices), np.int64)
        positions[np.argsort(numbers, kind="stable")] = np.arange(len(indices))
        used = [number for number in range(len(self.sources)) if (numbers == number).any()] or [0]
        parts = [self._read_part(number, names, indices[numbers == number] - self.starts[number]) for number in used]
        arrays = {name: parts[0][name] if len(parts) == 1 else np.concatenate([part[name] for part in parts]) for name in names}
        return {name: self._promote(name, array)[positions] for name, array in arrays.items()}

    def read_cells(self, name: str) -> Array:
        """Read a column as it is written in the files, where a source has it as text."""
        return np.concatenate([_read_part_cells(s, names.get(name, name)) for s, names in zip(self.sources, self.names, strict=True)])

    def expect_cells(self, names: Collection[str]) -> None:
        """Expect that the texts of these columns will be read."""
        for source, own in zip(self.sources, self.names, strict=True):
            if hasattr(source, "expect_cells"):
                source.expect_cells({own.get(name, name) for name in names})

    def describe_sample(self, index: int) -> str:
        number = int(np.searchsorted(self.starts, index, side="right")) - 1
        return f"{describe_sample(self.sources[number], index - int(self.starts[number]))} of data {number + 1}"

    def _read_part(self, number: int, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        source, own = self.sources[number], {name: self.names[number].get(name, name) for name in names}
        # numbers of a file, in a column that is text in another one
        written = {name for name in names if self.columns[name].dtype is None and source.columns[own[name]].dtype is not None}
        arrays = source.read(tuple({own[name]: None for name in names if name not in written}), indices)
        return {name: _read_part_cells(source, own[name])[indices] if name in written else arrays[own[name]] for name in names}

    def _promote(self, name: str, array: Array) -> Array:
        dtype = self.columns[name].dtype
        return array if dtype is None else array.astype(dtype, copy=False)

    def _join_column(self, name: str) -> TableColumn | None:
        pairs = [(source, source.columns.get(names.get(name, name))) for source, names in zip(self.sources, self.names, strict=True)]
        known = [(source, column) for source, column in pairs if column is not None]
        return _join_descriptions(name, known) if len(known) == len(pairs) else None


def _join_descriptions(name: str, parts: Sequence[tuple[Source, TableColumn]]) -> TableColumn:
    columns = [column for _, column in parts]
    shape = columns[0].shape if all(column.shape == columns[0].shape for column in columns) else None
    dtypes = [column.dtype for column in columns if column.dtype is not None]
    if len(dtypes) == len(columns):
        return TableColumn(name, shape, np.result_type(*dtypes), finite=all(column.finite for column in columns))
    texts = [column for column in columns if column.dtype is None]
    kinds = tuple({column.kind if column.dtype is None else "numbers": None for column in columns})
    has_cells = all(column.has_cells or (column.dtype is not None and hasattr(source, "read_cells")) for source, column in parts)
    return TableColumn(name, shape, None, texts[0].kind if has_cells else " and ".join(kinds), has_cells=has_cells)


def _read_part_cells(source: Source, name: str) -> Array:
    """Read a column as it is written. A source without a file has no other form than the column itself."""
    if hasattr(source, "read_cells"):
        return np.asarray(source.read_cells(name))
    return source.read((name,), np.arange(len(source)))[name]


def match_names(inputs: Sequence[str], first: Mapping[str, ColumnSpec], other: Mapping[str, ColumnSpec]) -> dict[str, str]:
    """Match the names of columns in a source with the names in the first one. Raises `DataError` where their columns do not pair up.

    >>> match_names(["x", "y"], {"x": ("a", "b")}, {"x": ("a", "c")})
    {'b': 'c'}
    """
    return dict(pair for name in inputs for pair in _pair_columns(name, first.get(name, name), other.get(name, name)))


def _pair_columns(name: str, first: ColumnSpec, other: ColumnSpec) -> Iterator[tuple[str, str]]:
    if first == other:
        return
    ours, others = ((spec,) if isinstance(spec, str) else spec for spec in (first, other))
    if isinstance(first, str) != isinstance(other, str) or len(ours) != len(others) or any("*" in text for text in (*ours, *others)):
        raise DataError(f"the columns of `{name}` differ in number from the first data", "list as many names in both `data` lines")
    yield from ((one, another) for one, another in zip(ours, others, strict=True) if one != another)
