"""Data from Python: a user's function, or an object passed to `netc.train`.

In: `package.module:function`, or a mapping of arrays, a dataset of PyTorch or of `datasets`, or an iterable of samples. Out: a source.
Always: a spec cannot name such data, because it runs code. A sample is a mapping from names to numbers, texts and dates, or a tuple, whose
columns are called 0, 1, ...

>>> make_source([(1.5, 0), (2.5, 1)]).columns["1"].dtype
dtype('int64')
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from decimal import Decimal
from importlib import import_module
from typing import Any

import numpy as np

from netc.compiler.types.numpy_types import to_array

from .data_source import Array, ArraySource, DataError, Indices, Source, TableColumn, name_columns
from .label_features import find_label_names
from .table_cells import convert_objects, is_missing


class ItemSource:
    """A dataset with `len(dataset)` and `dataset[i]`."""

    # Not read ahead in a thread: the dataset may draw random numbers, whose order would then depend on timing.

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        self.class_names = find_label_names(getattr(dataset, "features", None))
        first = {} if not len(dataset) else self._read_item(0)
        self.columns = {name: _describe_value(name, value) for name, value in first.items()}

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        items = [(int(i), self._read_item(int(i))) for i in indices]
        return {name: _stack_values(name, [(i, item.get(name)) for i, item in items], self.columns[name].has_cells) for name in names}

    def _read_item(self, index: int) -> dict[str, Any]:
        try:
            item = self.dataset[index]
        except Exception as error:  # the user's own code
            raise DataError(f"sample {index} of the dataset: {type(error).__name__}: {error}") from error
        return _name_values(item, index)


def open_python(path: str) -> Source:
    """Call the function. Its module is found on Python's path or in the current folder."""
    module, colon, name = path.partition(":")
    if not (module and colon and name.isidentifier()):
        raise DataError("it is no function", "write `python:package.module:function`")
    before = list(sys.path)
    sys.path.append("")  # last, so that nothing there replaces what is installed
    try:
        data = getattr(import_module(module), name)()
        return make_source(data)
    except DataError:
        raise
    except Exception as error:  # the user's own code
        raise DataError(f"{type(error).__name__}: {error}") from error
    finally:
        sys.path[:] = before


def make_source(data: Any) -> Source:
    """Return an object that is a source itself, or a source for an object that holds samples. Raises `DataError`."""
    # Of polars. Looked for first, because polars warns of every question for its columns.
    if type(data).__name__ == "LazyFrame":
        data = _collect_frame(data)
    if all(hasattr(data, name) for name in ("columns", "read", "decodes")):
        source: Source = data
        return source
    if type(data).__module__.startswith("pyarrow.") and hasattr(data, "schema"):
        from .arrow import to_table, wrap_table

        return wrap_table(to_table(data))
    # Tables of pandas and of polars: columns by name.
    if all(hasattr(data, name) for name in ("columns", "dtypes")):
        return _make_array_source({name: data[key] for name, key in zip(name_columns(data.columns), data.columns, strict=True)})
    if isinstance(data, Mapping):
        return _make_array_source(dict(zip(name_columns(data), data.values(), strict=True)))
    if isinstance(data, (list, tuple)) and (rows := _list_columns(data)):
        return _make_array_source(rows)
    # A loader is iterable, so it would be read to its end below, as if each of its batches were a sample.
    if type(data).__name__ == "DataLoader":
        raise DataError("a DataLoader makes batches of its own", "give its dataset: `loader.dataset`")
    if hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, (str, bytes)):
        return ItemSource(data)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return _collect_items(data)
    raise DataError(f"a `{type(data).__name__}` is neither a mapping of arrays nor samples")


def _collect_frame(data: Any) -> Any:
    """Compute the table that a LazyFrame of polars describes."""
    try:
        return data.collect()
    except Exception as error:  # the user's own plan, which polars prints below its message
        raise DataError(f"{type(error).__name__}: {str(error).partition(chr(10))[0]}") from error


def _make_array_source(values: Mapping[str, Any]) -> ArraySource:
    """Return a source of columns. Columns that hold neither numbers nor cells are described, and are errors only if an input reads them."""
    columns = {name: _column_to_array(name, value) for name, value in values.items()}
    others = [column for column in columns.values() if isinstance(column, TableColumn)]
    arrays = {name: column for name, column in columns.items() if not isinstance(column, TableColumn)}
    if others and not arrays:  # no column says how many samples there are
        raise DataError(f"no column has numbers, texts or dates, each of the same shape; the first one is `{others[0].name}`")
    return ArraySource(arrays, others)


def _list_columns(rows: Sequence[Any]) -> dict[str, list[Any]]:
    """Return the cells of rows by column; nothing if a row is no mapping or a cell is an array."""
    # A row may lack a name: databases and JSON leave out what is empty.
    if not rows or not all(isinstance(row, Mapping) and all(_is_cell(value) for value in row.values()) for row in rows):
        return {}
    names = dict.fromkeys(name for row in rows for name in row)
    return {column: [row.get(name) for row in rows] for column, name in zip(name_columns(names), names, strict=True)}


def _is_cell(value: object) -> bool:
    if value is None or isinstance(value, (str, int, float, date, Decimal, np.generic)):
        return True
    # pandas' NA, which has no class that could be imported without pandas; arrays and tensors have no answer
    return not hasattr(value, "shape") and not isinstance(value, (Sequence, Mapping)) and is_missing(value)


def _collect_items(samples: Iterable[Any]) -> Source:
    """Read an iterable to its end."""
    return make_source(list(samples))


def _name_values(item: Any, index: int) -> dict[str, Any]:
    """Return the values of a sample by column."""
    if isinstance(item, Mapping):
        return dict(zip(name_columns(item), item.values(), strict=True))
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
        return {str(i): value for i, value in enumerate(item)}
    raise DataError(f"sample {index} is a `{type(item).__name__}`, neither a mapping nor a tuple", 'return `{"image": ..., "label": ...}`')


def _describe_value(name: str, value: Any) -> TableColumn:
    """Describe the column of a value in the first sample."""
    # Datasets often carry metadata, which no input reads.
    if isinstance(value, (bytes, Mapping)):
        return TableColumn(name, (), None, type(value).__name__)
    if value is None or isinstance(value, (str, date)):
        return TableColumn(name, (), None, "text", has_cells=True)
    try:
        array = _value_to_array(name, value)
    except DataError:
        return TableColumn(name, (), None, type(value).__name__)
    return TableColumn(name, array.shape, array.dtype)


def _column_to_array(name: str, values: Any) -> Array | TableColumn:
    """Convert a column to an array: numbers, dates, or texts as objects, in which None is a missing text. Describe a column of others."""
    if isinstance(values, np.ma.MaskedArray):
        values = fill_masked(name, values)
    if not hasattr(values, "to_numpy") and not isinstance(values, (list, tuple, np.ndarray)):
        return _value_to_array(name, values)
    if hasattr(values, "to_numpy"):
        # polars would make an axis of the fields of its records
        if type(getattr(values, "dtype", None)).__name__ == "Struct":
            return TableColumn(name, (), None, "records")
        array = _series_to_array(values)
    elif isinstance(values, np.ndarray):
        array = values
    elif all(map(_is_cell, values)):  # NumPy would make texts of the numbers and of None among texts
        array = np.array([*values, None], object)[:-1]
    else:
        try:
            return _value_to_array(name, values)
        except DataError:
            return _stack_cells(name, values)
    if array.dtype.kind not in "UO" or array.ndim != 1:
        return array if array.dtype.kind in "MmS" else _value_to_array(name, array)
    if array.dtype.kind == "O" and not all(map(_is_cell, array[:1])):
        return _stack_cells(name, array)
    try:
        return convert_objects(array)
    except DataError:
        return TableColumn(name, (), None, next((type(cell).__name__ for cell in array if not _is_cell(cell)), "objects"))


def _series_to_array(values: Any) -> Array:
    """Convert a column of pandas or polars."""
    try:
        array: Array = values.to_numpy()
    # NumPy lacks some of their types, such as integers of 128 bits; each library has exceptions of its own for that
    except Exception:
        array = np.array([*values, None], object)[:-1]
    return array


def _stack_cells(name: str, cells: Sequence[Any] | Array) -> Array | TableColumn:
    """Stack cells that are arrays or lists of numbers, as of embeddings, or describe the column of others."""
    try:
        arrays = [_value_to_array(name, cell) for cell in cells]
    except DataError:
        return TableColumn(name, (), None, type(cells[0]).__name__)
    if any(array.shape != arrays[0].shape for array in arrays):
        return TableColumn(name, None, None)
    return np.stack(arrays)


def fill_masked(name: str, values: np.ma.MaskedArray[Any, Any]) -> Array:
    """Return an array in which masked numbers are NaN, and other masked cells None. NumPy's own functions would show what is below."""
    if not np.ma.is_masked(values):
        return np.asarray(values)
    if values.ndim == 1:
        return np.where(np.ma.getmaskarray(values), np.array(None, object), np.asarray(values.data).astype(object))
    if values.dtype.kind not in "iuf":
        raise DataError(f"the column `{name}` is a masked array of {values.dtype}, which has no NaN", "fill it: `array.filled(0)`")
    numbers = np.asarray(values.data)
    return np.where(np.ma.getmaskarray(values), np.nan, numbers if numbers.dtype.kind == "f" else numbers.astype(np.float64))


def _value_to_array(name: str, value: Any) -> Array:
    if isinstance(value, np.ma.MaskedArray):
        value = fill_masked(name, value)
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value
    try:
        return to_array(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"`{name}` is no tensor: {error}") from error


def _stack_values(name: str, values: list[tuple[int, Any]], has_cells: bool) -> Array:
    """Stack the values of samples, or list them as cells."""
    if has_cells:
        column = _column_to_array(name, [value for _, value in values])
        if isinstance(column, TableColumn):
            raise DataError(f"`{name}` is a `{column.kind}` in sample {values[0][0]}")
        return column.astype(object)
    missing = next((index for index, value in values if value is None), None)
    if missing is not None:
        raise DataError(f"sample {missing} has no `{name}`")
    arrays = [_value_to_array(name, value) for _, value in values]
    for (index, _), array in zip(values, arrays, strict=True):
        if array.shape != arrays[0].shape:
            raise DataError(f"`{name}` is {list(array.shape)} in sample {index}, and {list(arrays[0].shape)} in sample {values[0][0]}")
    return np.stack(arrays)
