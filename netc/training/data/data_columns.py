"""The columns of a source, held against the inputs of an objective before anything is computed.

In: a source, and the types of the inputs with the places of their declarations. Out: `Columns`, which give batches as tensors' arrays, or
diagnostics. Always: a column is found by the name that the section gives, or by that of the input; integers become floats, and floats
floats of another precision, but nothing else that is declared changes its value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from math import prod
from typing import TypeVar

import numpy as np

from netc.compiler.dims import SymDim
from netc.compiler.errors.data_errors import CannotReadData, ColumnMissing, ColumnShape, ColumnType, SizesDiffer
from netc.compiler.errors.problem import Problem
from netc.compiler.ir.graph_values import Value
from netc.compiler.types.numpy_types import dtype_of, numpy_dtype
from netc.compiler.types.tensor_types import DType, TensorType
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import near
from netc.dsl.record import Record

from ...files.file_problems import diagnostic
from .data_source import Array, Column, DataError, Indices, Source
from .prefetch import ahead

V = TypeVar("V")
_TOGETHER = 1 << 21
"""Bytes of small batches that are read one after the other, before the first of them is used."""
_LOOKED_AT = 1 << 20
"""Samples of a column that are looked at to say what is wrong with it."""
Chosen = str | tuple[str, ...]
"""The column for an input: a name; or several names or patterns such as `pixel*`, whose columns are put side by side."""


class Joined(Record):
    """What an input is given: one column as it is, or several side by side, along the first axis of a sample."""

    names: tuple[str, ...]
    single: bool

    def owner(self, place: int, columns: Mapping[str, Column]) -> str:
        """The column that has this place of the first axis of a sample."""
        for name in () if self.single else self.names:
            place -= (columns[name].shape or (1,))[0]
            if place < 0:
                return name
        return self.names[0]

    def __str__(self) -> str:
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]}, ..., {self.names[-1]}"


class Columns(Record):
    """A source with the column, the type and the shape of a sample of each input. `path` is that of messages."""

    source: Source
    columns: dict[str, Joined]
    types: dict[str, TensorType]
    shapes: dict[str, tuple[int, ...]]
    path: str

    def __len__(self) -> int:
        return len(self.source)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns that are read, each once."""
        return tuple({name: None for joined in self.columns.values() for name in joined.names})

    @property
    def sample_bytes(self) -> int:
        """What the columns of a sample take."""
        known = (self.source.columns[name] for joined in self.columns.values() for name in joined.names)
        return sum(prod(column.shape or (1,)) * column.dtype.itemsize for column in known if column.dtype is not None)

    def batch(self, indices: Indices) -> dict[str, Array]:
        """The arrays of these samples by input, in the element types of the inputs. Raises `DataError` with its `problem`."""
        if not len(indices):  # the share of a process may be empty
            return {name: np.zeros((0, *shape), self._wanted(name)) for name, shape in self.shapes.items()}
        try:
            read = self.source.read(self.names, indices)
            return {name: self._converted(name, _beside(joined, read), indices) for name, joined in self.columns.items()}
        except DataError as error:
            problem = CannotReadData(self.path, str(error), error.remedy)
            raise DataError(str(error), error.remedy, problem) from error

    def batches(self, orders: Iterable[Indices], make: Callable[[dict[str, Array]], V]) -> Iterator[V]:
        """What is made of each batch, one after the other. Where reading computes, the next one is read meanwhile; else small ones are
        read ahead in one go: right after another one, a batch takes a third of the time that it takes between two steps."""
        return map(make, ahead(self.batch, orders)) if self.source.decodes else self._together(orders, make)

    def _together(self, orders: Iterable[Indices], make: Callable[[dict[str, Array]], V]) -> Iterator[V]:
        size = max(1, sum(prod(shape) * self._wanted(name).itemsize for name, shape in self.shapes.items()))
        for group in _groups(orders, _TOGETHER // size):
            yield from [make(self.batch(order)) for order in group]

    def _converted(self, name: str, array: Array, indices: Indices) -> Array:
        if array.dtype == self._wanted(name) and array.flags.c_contiguous:
            return array
        dtype = self.types[name].dtype
        if is_narrower(dtype, array.dtype):
            least, greatest = dtype.limits
            wrong = np.flatnonzero(((array < least) | (array > greatest)).reshape(len(array), -1).any(axis=1))
            if len(wrong):
                what = f"sample {indices[wrong[0]]} of the column `{self.columns[name]}` has a number that {dtype} does not have"
                raise DataError(what, f"declare the input `{name}` as {array.dtype}")
        try:
            with np.errstate(over="raise"):
                made = np.ascontiguousarray(array, self._wanted(name))
        except FloatingPointError:
            raise self._too_large(name, array, indices) from None
        if dtype.name == "bfloat16" and (np.isinf(made) & np.isfinite(array)).any():  # not NumPy's own: nothing is raised
            raise self._too_large(name, array, indices)
        return made

    def _too_large(self, name: str, array: Array, indices: Indices) -> DataError:
        """A number that is infinite in the type of the input, and is not in the data."""
        with np.errstate(over="ignore"):
            lost = np.isinf(array.astype(self._wanted(name))) & np.isfinite(array)
        sample, *place = np.argwhere(lost)[0].tolist()
        column = self.columns[name].owner(place[0] if place else 0, self.source.columns)
        what = f"sample {indices[sample]} of the column `{column}` has a number that is too large for {self.types[name].dtype}"
        return DataError(what, f"divide the data by a constant, or declare the input `{name}` as {array.dtype}")

    def _wanted(self, name: str) -> np.dtype[np.generic]:
        return numpy_dtype(self.types[name].dtype)


def match_columns(source: Source, inputs: list[Value], given: Mapping[str, Chosen], path: str) -> tuple[Columns | None, list[Diagnostic]]:
    """Finds the column of each input, and checks its type and the shape of a sample. Raises `DataError`."""
    found: dict[str, Joined] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    problems: list[Diagnostic] = []
    sizes: dict[str, tuple[int, str]] = {}
    for value in inputs:
        chosen = _chosen(source, given.get(value.name, value.name))
        problem = _missing(value, chosen, given, path, source) if isinstance(chosen, str) else _wrong(value, chosen, source, path, sizes)
        if problem is None and isinstance(chosen, Joined):
            found[value.name], shapes[value.name] = chosen, _shape(source, chosen) or ()
        elif problem is not None:
            problems.append(diagnostic(problem, value.span))
    if problems:
        return None, problems
    return Columns(source, found, {v.name: v.type for v in inputs}, shapes, path), []


def column_types(inputs: list[Value], given: Mapping[str, Chosen]) -> dict[str, TensorType]:
    """What is declared of each column that is one input's alone."""
    chosen = {value.name: given.get(value.name, value.name) for value in inputs}
    return {column: value.type for value in inputs if isinstance(column := chosen[value.name], str)}


def _groups(orders: Iterable[Indices], most: int) -> Iterator[list[Indices]]:
    """The orders in groups with at most that many samples, or of one order."""
    group: list[Indices] = []
    count = 0
    for order in orders:
        if group and count + len(order) > most:
            yield group
            group, count = [], 0
        group.append(order)
        count += len(order)
    if group:
        yield group


def is_narrower(wanted: DType, found: np.dtype[np.generic]) -> bool:
    """Whether some integers of the type that was found are none of the type that is wanted."""
    return wanted.is_integer and found.kind in "iu" and not np.can_cast(found, numpy_dtype(wanted))


def _chosen(source: Source, asked: Chosen) -> Joined | str:
    """The columns that are meant, or the name of one that is missing."""
    if isinstance(asked, str) and asked in source.columns:
        return Joined((asked,), single=True)
    if isinstance(asked, str) and "," not in asked and "*" not in asked:
        return asked
    names: list[str] = []
    for word in _names(asked):
        found = [word] if word in source.columns else [name for name in source.columns if fnmatchcase(name, word)]
        if not found:
            return word
        names += found
    return Joined(tuple(names), single=False)


def _names(asked: Chosen) -> tuple[str, ...]:
    """The names and patterns of what is asked for; on the command line, there are commas between them."""
    if not isinstance(asked, str):
        return asked
    if re.fullmatch(r"\[[^\[\]]*,[^\[\]]*\]", asked):  # as a spec has it
        return tuple(name.strip() for name in asked[1:-1].split(","))
    return tuple(asked.split(","))


def _beside(joined: Joined, read: Mapping[str, Array]) -> Array:
    if joined.single:
        return read[joined.names[0]]
    arrays = [read[name] for name in joined.names]
    return np.concatenate([array[:, None] if array.ndim == 1 else array for array in arrays], axis=1)


def _missing(value: Value, name: str, given: Mapping[str, Chosen], path: str, source: Source) -> Problem:
    asked = _names(given.get(value.name, name))
    near_names = tuple(near(name, [n for n in source.columns if n not in asked]))
    return ColumnMissing(value.name, name, path, near_names, tuple(source.columns), asked if len(asked) > 1 else ())


def _wrong(value: Value, joined: Joined, source: Source, path: str, sizes: dict[str, tuple[int, str]]) -> Problem | None:
    type_ = value.type
    columns = [source.columns[name] for name in joined.names]
    unfit = [column for column in columns if column.dtype is None or not _fits(column.dtype, type_.dtype)]
    if unfit:
        column, *others = unfit
        kind = column.kind if column.dtype is None else str(column.dtype)
        missing = _missing_number(source, column, type_.dtype)
        return ColumnType(value.name, column.name, path, kind, type_.dtype.name, missing, tuple(other.name for other in others))
    declared, found = type_.shape[1:], _shape(source, joined)
    if found is None or len(found) != len(declared):
        return ColumnShape(value.name, str(joined), path, found, declared, str(value.type.dtype))
    for size, actual in zip(declared, found, strict=True):
        if isinstance(size, int) and size != actual:
            return ColumnShape(value.name, str(joined), path, found, declared, str(value.type.dtype))
        if isinstance(size, SymDim) and str(size).isidentifier():
            known = sizes.setdefault(str(size), (actual, value.name))
            if known[0] != actual:
                return SizesDiffer(str(size), known[1], known[0], value.name, actual)
    return None


def _missing_number(source: Source, column: Column, wanted: DType) -> int | None:
    """The first sample without a number in a column whose other numbers are integers, if integers are wanted."""
    if column.dtype is None or column.dtype.kind != "f" or column.shape != () or not wanted.is_integer:
        return None
    (numbers,) = source.read((column.name,), np.arange(min(len(source), _LOOKED_AT))).values()
    missing = np.isnan(numbers)
    return int(missing.argmax()) if missing.any() and (missing | (numbers == np.floor(numbers))).all() else None


def _shape(source: Source, joined: Joined) -> tuple[int, ...] | None:
    """The shape of a sample, None if samples differ, or if columns cannot be put side by side."""
    columns = [source.columns[name] for name in joined.names]
    if joined.single:
        return columns[0].shape
    shapes = [(1,) if column.shape == () else column.shape for column in columns]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({shape[1:] for shape in known}) > 1:
        return None
    return (sum(shape[0] for shape in known), *known[0][1:])


def _fits(found: np.dtype[np.generic], wanted: DType) -> bool:
    """Whether numbers of this type are numbers of the other: floats of any precision, integers as floats, and integers of any size, whose
    values are compared when they are read."""
    known = dtype_of(found)
    kind = found.kind if known is None else "f" if known.is_float else "b" if known.kind == "bool" else "i"
    if wanted.is_float:
        return kind in "fiub"
    return kind == "b" if wanted.kind == "bool" else kind in "iub"
