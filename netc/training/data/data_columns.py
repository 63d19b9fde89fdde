"""Match the columns of a source with the inputs of an objective, and read batches.

In: a source, and the inputs with their declared types. Out: `InputColumns`, which reads batches as arrays by input, or diagnostics at the
declarations. Always: the column of an input is the one that the section names, else the one with the input's own name. Integers may become
floats, and floats may change their precision; any other conversion that would change a value is an error.
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
from netc.compiler.types.tensor_types import DTYPES, DType, TensorType
from netc.dsl.diagnostics import Diagnostic
from netc.dsl.diagnostics.suggest import find_similar_names
from netc.dsl.record import Record

from ...files.file_problems import make_diagnostic
from .data_source import Array, DataError, Indices, Source, TableColumn
from .prefetch import prefetch_results
from .shard_layout import ShardLayout

V = TypeVar("V")
_READ_AHEAD_BYTES = 1 << 21
"""Bytes of small batches that are read in one go, before the first of them is used."""
ColumnSpec = str | tuple[str, ...]
"""The column of an input as a user writes it: one name, or several names or patterns such as `pixel*`, whose columns are concatenated."""


class ColumnSelection(Record):
    """The columns of one input: a `single` column unchanged, or several that are concatenated along the first axis of a sample."""

    names: tuple[str, ...]
    single: bool

    def find_column(self, index: int, columns: Mapping[str, TableColumn]) -> str:
        """Return the column that provides this index of the first axis of a sample."""
        for name in () if self.single else self.names:
            index -= (columns[name].shape or (1,))[0]
            if index < 0:
                return name
        return self.names[0]

    def __str__(self) -> str:
        return self.names[0] if len(self.names) == 1 else f"{self.names[0]}, ..., {self.names[-1]}"


class InputColumns(Record):
    """A source, with the columns, the type and the sample shape of each input. `path` names the source in messages. `constants` are inputs
    that are the same for all samples, such as the weights of classes; reading samples does not return them. `sizes`: the numbers of samples
    in each of several data. `layout` orders the samples of a stream, and
    `shards` has the name, the size in bytes and the number of samples of each of its shards."""

    source: Source
    columns: dict[str, ColumnSelection]
    types: dict[str, TensorType]
    shapes: dict[str, tuple[int, ...]]
    path: str
    constants: dict[str, Array] = {}
    sizes: tuple[int, ...] = ()
    layout: ShardLayout | None = None
    shards: tuple[tuple[str, int, int], ...] = ()

    def __len__(self) -> int:
        return len(self.source)

    @property
    def names(self) -> tuple[str, ...]:
        """The columns to read, each once."""
        return tuple({name: None for selection in self.columns.values() for name in selection.names})

    @property
    def sample_bytes(self) -> int:
        """The size of a sample in bytes, in the types of the columns."""
        known = (self.source.columns[name] for selection in self.columns.values() for name in selection.names)
        return sum(prod(column.shape or (1,)) * column.dtype.itemsize for column in known if column.dtype is not None)

    def read_batch(self, indices: Indices) -> dict[str, Array]:
        """Read these samples: an array for each input, in the input's element type. Raises `DataError` with its `problem`."""
        if not len(indices):  # a process may have no samples of a batch that is smaller than the number of processes
            return {name: np.zeros((0, *shape), self._input_dtype(name)) for name, shape in self.shapes.items()}
        try:
            arrays = self.source.read(self.names, indices)
            return {name: self._convert_array(name, _join_arrays(selection, arrays), indices) for name, selection in self.columns.items()}
        except DataError as error:
            problem = CannotReadData(self.path, str(error), error.remedy)
            raise DataError(str(error), error.remedy, problem) from error

    def iterate_batches(self, orders: Iterable[Indices], make: Callable[[dict[str, Array]], V]) -> Iterator[V]:
        """Yield `make(batch)` for each batch, in order."""
        # A source that decodes reads the next batch in a thread meanwhile. Other sources read small batches in one go: a batch that is read
        # right after another takes a third of the time that it takes between two steps.
        return map(make, prefetch_results(self.read_batch, orders)) if self.source.decodes else self._read_groups(orders, make)

    def _read_groups(self, orders: Iterable[Indices], make: Callable[[dict[str, Array]], V]) -> Iterator[V]:
        size = max(1, sum(prod(shape) * self._input_dtype(name).itemsize for name, shape in self.shapes.items()))
        for group in _group_orders(orders, _READ_AHEAD_BYTES // size):
            yield from [make(self.read_batch(order)) for order in group]

    def _convert_array(self, name: str, array: Array, indices: Indices) -> Array:
        if array.dtype == self._input_dtype(name) and array.flags.c_contiguous:
            return array
        dtype = self.types[name].dtype
        if is_narrower(dtype, array.dtype):
            least, greatest = dtype.limits
            unfit = np.flatnonzero(((array < least) | (array > greatest)).reshape(len(array), -1).any(axis=1))
            if len(unfit):
                what = f"sample {indices[unfit[0]]} of the column `{self.columns[name]}` has a number that {dtype} does not have"
                raise DataError(what, _suggest_integers(name, array.dtype))
        try:
            with np.errstate(over="raise"):
                converted = np.ascontiguousarray(array, self._input_dtype(name))
        except FloatingPointError:
            raise self._overflow_error(name, array, indices) from None
        if dtype.name == "bfloat16" and (np.isinf(converted) & np.isfinite(array)).any():  # its casts ignore `errstate`
            raise self._overflow_error(name, array, indices)
        return converted

    def _overflow_error(self, name: str, array: Array, indices: Indices) -> DataError:
        """Return the error for a finite number of the data that is infinite in the input's type."""
        with np.errstate(over="ignore"):
            is_lost = np.isinf(array.astype(self._input_dtype(name))) & np.isfinite(array)
        sample, *position = np.argwhere(is_lost)[0].tolist()
        column = self.columns[name].find_column(position[0] if position else 0, self.source.columns)
        what = f"sample {indices[sample]} of the column `{column}` has a number that is too large for {self.types[name].dtype}"
        return DataError(what, f"divide the data by a constant, or declare the input `{name}` as {array.dtype}")

    def _input_dtype(self, name: str) -> np.dtype[np.generic]:
        return numpy_dtype(self.types[name].dtype)


def locate_problems(inputs: list[Value], problems: Mapping[str, Problem]) -> list[Diagnostic]:
    """Report problems at their inputs."""
    return [make_diagnostic(problems[value.name], value.span) for value in inputs if value.name in problems]


def find_input_columns(
    source: Source, inputs: list[Value], specs: Mapping[str, ColumnSpec], path: str
) -> tuple[InputColumns, dict[str, Problem]]:
    """Find the column of each input, and check its type and sample shape. Return the inputs that have columns, and the problems by input.
    Raises `DataError`."""
    selections: dict[str, ColumnSelection] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    problems: dict[str, Problem] = {}
    sizes: dict[str, tuple[int, str]] = {}
    for value in inputs:
        selection = _select_columns(source, specs.get(value.name, value.name))
        problem = (
            _missing_column(value, selection, specs, path, source)
            if isinstance(selection, str)
            else _find_mismatch(value, selection, source, path, sizes)
        )
        if problem is None and isinstance(selection, ColumnSelection):
            selections[value.name], shapes[value.name] = selection, _infer_sample_shape(source, selection) or ()
        elif problem is not None:
            problems[value.name] = problem
    return InputColumns(source, selections, {v.name: v.type for v in inputs}, shapes, path), problems


def find_missing_columns(source: Source, inputs: list[Value], specs: Mapping[str, ColumnSpec], path: str) -> dict[str, Problem]:
    """Find the inputs whose columns a source does not have."""
    selections = [(value, _select_columns(source, specs.get(value.name, value.name))) for value in inputs if value.type.is_batch]
    return {value.name: _missing_column(value, missing, specs, path, source) for value, missing in selections if isinstance(missing, str)}


def map_column_types(inputs: list[Value], specs: Mapping[str, ColumnSpec]) -> dict[str, TensorType]:
    """Return the declared type of each column that alone provides an input."""
    chosen_specs = {value.name: specs.get(value.name, value.name) for value in inputs}
    return {column: value.type for value in inputs if isinstance(column := chosen_specs[value.name], str)}


def list_columns(source: Source, spec: ColumnSpec) -> tuple[str, ...]:
    """List the columns that a spec selects; none if one of them is missing.

    Raises nothing: `match_columns` reports what is missing.
    """
    selection = _select_columns(source, spec)
    return () if isinstance(selection, str) else selection.names


def _group_orders(orders: Iterable[Indices], most: int) -> Iterator[list[Indices]]:
    """Group orders so that a group has at most `most` samples. An order that is larger is a group of its own."""
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


def is_narrower(wanted: DType, actual: np.dtype[np.generic]) -> bool:
    """Whether both types are integers, and the wanted type cannot represent all values of the actual one."""
    return wanted.is_integer and actual.kind in "iu" and not np.can_cast(actual, numpy_dtype(wanted))


def _suggest_integers(name: str, actual: np.dtype[np.generic]) -> str:
    """Suggest the smallest type of netc that represents all integers of a type, or floats, which represent the greatest ones roughly."""
    fitting = [dtype for dtype in DTYPES.values() if dtype.is_integer and np.can_cast(actual, numpy_dtype(dtype))]
    if not fitting:
        return f"declare the input `{name}` as float64, which rounds it, or store smaller numbers"
    return f"declare the input `{name}` as {min(fitting, key=lambda dtype: dtype.size)}"


def _select_columns(source: Source, spec: ColumnSpec) -> ColumnSelection | str:
    """Resolve a spec to columns, or return the first name in it that is missing."""
    # A column whose own name contains `,` or `*` comes first, so that every column can be selected.
    if isinstance(spec, str) and spec in source.columns:
        return ColumnSelection((spec,), single=True)
    if isinstance(spec, str) and "," not in spec and "*" not in spec:
        return spec
    names: list[str] = []
    for word in _split_names(spec):
        matches = [word] if word in source.columns else [name for name in source.columns if fnmatchcase(name, word)]
        if not matches:
            return word
        names += matches
    return ColumnSelection(tuple(names), single=False)


def _split_names(spec: ColumnSpec) -> tuple[str, ...]:
    """Split a spec into names and patterns; the command line separates them by commas.

    >>> _split_names("width,pixel*")
    ('width', 'pixel*')
    """
    if not isinstance(spec, str):
        return spec
    if re.fullmatch(r"\[[^\[\]]*,[^\[\]]*\]", spec):  # the spec's notation, `[width, height]`, on the command line
        return tuple(name.strip() for name in spec[1:-1].split(","))
    return tuple(spec.split(","))


def _join_arrays(selection: ColumnSelection, arrays_by_name: Mapping[str, Array]) -> Array:
    if selection.single:
        return arrays_by_name[selection.names[0]]
    arrays = [arrays_by_name[name] for name in selection.names]
    return np.concatenate([array[:, None] if array.ndim == 1 else array for array in arrays], axis=1)


def _missing_column(value: Value, name: str, specs: Mapping[str, ColumnSpec], path: str, source: Source) -> Problem:
    names = _split_names(specs.get(value.name, name))
    near_names = tuple(find_similar_names(name, [n for n in source.columns if n not in names]))
    return ColumnMissing(value.name, name, path, near_names, tuple(source.columns), names if len(names) > 1 else ())


def _find_mismatch(
    value: Value, selection: ColumnSelection, source: Source, path: str, sizes: dict[str, tuple[int, str]]
) -> Problem | None:
    type_ = value.type
    columns = [source.columns[name] for name in selection.names]
    unfit = [column for column in columns if column.dtype is None or not _is_convertible(column.dtype, type_.dtype)]
    if unfit:
        column, *others = unfit
        kind = column.kind if column.dtype is None else str(column.dtype)
        return ColumnType(value.name, column.name, path, kind, type_.dtype.name, tuple(other.name for other in others))
    declared, actual_shape = type_.shape[1:], _infer_sample_shape(source, selection)
    if actual_shape is None or len(actual_shape) != len(declared):
        return ColumnShape(value.name, str(selection), path, actual_shape, declared, str(value.type.dtype))
    for size, actual in zip(declared, actual_shape, strict=True):
        if isinstance(size, int) and size != actual:
            return ColumnShape(value.name, str(selection), path, actual_shape, declared, str(value.type.dtype))
        if isinstance(size, SymDim) and str(size).isidentifier():
            known = sizes.setdefault(str(size), (actual, value.name))
            if known[0] != actual:
                return SizesDiffer(str(size), known[1], known[0], value.name, actual)
    return None


def _infer_sample_shape(source: Source, selection: ColumnSelection) -> tuple[int, ...] | None:
    """Return the shape of a sample, or None if samples differ in shape or the columns cannot be concatenated."""
    columns = [source.columns[name] for name in selection.names]
    if selection.single:
        return columns[0].shape
    shapes = [(1,) if column.shape == () else column.shape for column in columns]
    known = [shape for shape in shapes if shape is not None]
    if len(known) < len(shapes) or len({shape[1:] for shape in known}) > 1:
        return None
    return (sum(shape[0] for shape in known), *known[0][1:])


def _is_convertible(actual: np.dtype[np.generic], wanted: DType) -> bool:
    """Whether a column of this type can be read as the wanted type. Integers of any size can be read as integers: the values themselves are
    compared with the limits when they are read, since most int64 columns hold small numbers."""
    known = dtype_of(actual)
    kind = actual.kind if known is None else "f" if known.is_float else "b" if known.kind == "bool" else "i"
    if wanted.is_float:
        return kind in "fiub"
    return kind == "b" if wanted.kind == "bool" else kind in "iub"
