"""Data that Python makes: a function of the user's, or an object given to `netc.train`.

In: `package.module:function`, or a mapping of arrays, a dataset of PyTorch or of `datasets`, or an iterable of samples. Out: a source.
Always: a spec cannot ask for this, since it runs code; a sample is a mapping of names to numbers, or a tuple, whose columns are called 0,
1, ...
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np

from netc.compiler.types.numpy_types import array_of

from .data_source import Array, ArraySource, Column, DataError, Indices, Source


class ItemSource:
    """A dataset with `len(dataset)` and `dataset[i]`. Read in the main thread: it may draw random numbers."""

    decodes = False
    classes: tuple[str, ...] = ()

    def __init__(self, dataset: Any) -> None:
        self.dataset = dataset
        first = {} if not len(dataset) else self._item(0)
        self.columns = {name: Column(name, array.shape, array.dtype) for name, array in first.items()}

    def __len__(self) -> int:
        return len(self.dataset)

    def read(self, names: tuple[str, ...], indices: Indices) -> dict[str, Array]:
        items = [(int(i), self._item(int(i))) for i in indices]
        return {name: _stacked(name, [(i, item.get(name)) for i, item in items]) for name in names}

    def _item(self, index: int) -> dict[str, Array]:
        try:
            found = self.dataset[index]
        except Exception as error:  # the user's own code
            raise DataError(f"sample {index} of the dataset: {type(error).__name__}: {error}") from error
        return _named(found, index)


def open_python(path: str) -> Source:
    """Calls the function, which is found as Python finds modules, or in the current folder."""
    module, colon, name = path.partition(":")
    if not (module and colon and name.isidentifier()):
        raise DataError("it is no function", "write `python:package.module:function`")
    before = list(sys.path)
    sys.path.append("")  # last, so that nothing there replaces what is installed
    try:
        made = getattr(import_module(module), name)()
        return source_of(made)
    except DataError:
        raise
    except Exception as error:  # the user's own code
        raise DataError(f"{type(error).__name__}: {error}") from error
    finally:
        sys.path[:] = before


def source_of(made: Any) -> Source:
    """The source of an object: it is one, or holds samples. Raises `DataError`."""
    if all(hasattr(made, name) for name in ("columns", "read", "decodes")):
        source: Source = made
        return source
    if isinstance(made, Mapping):
        return ArraySource({str(name): _array(str(name), value) for name, value in made.items()})
    if type(made).__name__ == "DataLoader":
        raise DataError("a DataLoader makes batches of its own", "give its dataset: `loader.dataset`")
    if hasattr(made, "__len__") and hasattr(made, "__getitem__") and not isinstance(made, (str, bytes)):
        return ItemSource(made)
    if isinstance(made, Iterable) and not isinstance(made, (str, bytes)):
        return _collected(made)
    raise DataError(f"a `{type(made).__name__}` is neither a mapping of arrays nor samples")


def _collected(made: Iterable[Any]) -> ArraySource:
    """An iterable, read to its end."""
    items = [_named(item, index) for index, item in enumerate(made)]
    names = items[0] if items else {}
    return ArraySource({name: _stacked(name, [(i, item.get(name)) for i, item in enumerate(items)]) for name in names})


def _named(item: Any, index: int) -> dict[str, Array]:
    if isinstance(item, Mapping):
        return {str(name): _array(str(name), value) for name, value in item.items() if _is_number(value)}
    if isinstance(item, Sequence) and not isinstance(item, (str, bytes)):
        return {str(i): _array(str(i), value) for i, value in enumerate(item)}
    raise DataError(f"sample {index} is a `{type(item).__name__}`, neither a mapping nor a tuple", 'return `{"image": ..., "label": ...}`')


def _is_number(value: Any) -> bool:
    """Texts and other things in a sample are no columns."""
    return not isinstance(value, (str, bytes, Mapping)) and value is not None


def _array(name: str, value: Any) -> Array:
    if isinstance(value, np.ndarray) and value.dtype.kind in "biufc":
        return value
    try:
        return array_of(value)
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"`{name}` is no tensor: {error}") from error


def _stacked(name: str, arrays: list[tuple[int, Array | None]]) -> Array:
    first = arrays[0][1]
    for index, array in arrays:
        if array is None or first is None:
            raise DataError(f"sample {index} has no `{name}`")
        if array.shape != first.shape:
            raise DataError(f"`{name}` is {list(array.shape)} in sample {index}, and {list(first.shape)} in sample {arrays[0][0]}")
    return np.stack([array for _, array in arrays if array is not None])
