"""Data from Python: a user's function, or an object passed to `netc.train`.

In: `package.module:function`, or a mapping of arrays, a dataset of PyTorch or of `datasets`, or an iterable of samples. Out: a source.
Always: a spec cannot name such data, because it runs code. A sample is a mapping from names to numbers, or a tuple, whose columns are
called 0, 1, ...

>>> make_source([(1.5, 0), (2.5, 1)]).columns["1"].dtype
dtype('int64')
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from netc.compiler.types.numpy_types import to_array

from .data_source import Array, ArraySource, DataError, Indices, Source, TableColumn


class ItemSource:
    """A dataset with `len(dataset)` and `dataset[i]`."""

    # Not read ahead in a thread: the dataset may draw random numbers, whose order would then depend on timing.

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        first = {} if not len(dataset) else self._read_item(0)
        self.columns = {name: TableColumn(name, array.shape, array.dtype) for name, array in first.items()}

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        items = [(int(i), self._read_item(int(i))) for i in indices]
        return {name: _stack_samples(name, [(i, item.get(name)) for i, item in items]) for name in names}

    def _read_item(self, index: int) -> dict[str, Array]:
        try:
            item = self.dataset[index]
        except Exception as error:  # the user's own code
            raise DataError(f"sample {index} of the dataset: {type(error).__name__}: {error}") from error
        return _item_to_arrays(item, index)


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
    if all(hasattr(data, name) for name in ("columns", "read", "decodes")):
        source: Source = data
        return source
    # Tables of pandas and of polars: columns by name.
    if all(hasattr(data, name) for name in ("columns", "dtypes")):
        data = {name: data[name] for name in data.columns}
    if isinstance(data, Mapping):
        return ArraySource({str(name): _column_to_array(str(name), value) for name, value in data.items()})
    # A loader is iterable, so it would be read to its end below, as if each of its batches were a sample.
    if type(data).__name__ == "DataLoader":
        raise DataError("a DataLoader makes batches of its own", "give its dataset: `loader.dataset`")
    if hasattr(data, "__len__") and hasattr(data, "__getitem__") and not isinstance(data, (str, bytes)):
        return ItemSource(data)
    if isinstance(data, Iterable) and not isinstance(data, (str, bytes)):
        return _collect_items(data)
    raise DataError(f"a `{type(data).__name__}` is neither a mapping of arrays nor samples")


def _collect_items(samples: Iterable[Any]) -> ArraySource:
    """Read an iterable to its end."""
    items = [_item_to_arrays(item, index) for index, item in enumerate(samples)]
    names = items[0] if items else {}
    return ArraySource({name: _stack_samples(name, [(i, item.get(name)) for i, item in enumerate(items)]) for name in names})


def _item_to_arrays(item: Any, index: int) -> dict[str, Array]:
    if isinstance(item, Mapping):
        return {str(name): _value_to_array(str(name), value) for name, value in item.items() if _is_number(value)}
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
        return {str(i): _value_to_array(str(i), value) for i, value in enumerate(item)}
    raise DataError(f"sample {index} is a `{type(item).__name__}`, neither a mapping nor a tuple", 'return `{"image": ..., "label": ...}`')


def _is_number(value: Any) -> bool:
    """Whether a value of a sample becomes a column. Datasets often carry texts and metadata, which are left out."""
    return not isinstance(value, (str, bytes, Mapping)) and value is not None


def _column_to_array(name: str, values: Any) -> Array:
    """Convert a column to an array: numbers, dates, or texts as objects, in which None and NaN are missing texts."""
    if not hasattr(values, "to_numpy") and not isinstance(values, (list, tuple, np.ndarray)):
        return _value_to_array(name, values)
    array = values.to_numpy() if hasattr(values, "to_numpy") else _stack_values(name, values)
    if array.dtype.kind not in "UOM" or array.ndim != 1:
        return _value_to_array(name, array)
    return array if array.dtype.kind == "M" else array.astype(object)


def _stack_values(name: str, values: Any) -> Array:
    try:
        return np.asarray(values)
    except ValueError:  # lists of different lengths
        return _value_to_array(name, values)


def _value_to_array(name: str, value: Any) -> Array:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value
    try:
        return to_array(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"`{name}` is no tensor: {error}") from error


def _stack_samples(name: str, arrays: list[tuple[int, Array | None]]) -> Array:
    first = arrays[0][1]
    for index, array in arrays:
        if array is None or first is None:
            raise DataError(f"sample {index} has no `{name}`")
        if array.shape != first.shape:
            raise DataError(f"`{name}` is {list(array.shape)} in sample {index}, and {list(first.shape)} in sample {arrays[0][0]}")
    return np.stack([array for _, array in arrays if array is not None])
