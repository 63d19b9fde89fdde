"""Tensors that are read on demand.

In: an array, or the header of a tensor in a file. Out: a `StoredTensor`. Always: its shape and type are known without its values; the
values are in memory only as long as the result of `read` is used.

    >>> import numpy as np
    >>> tensor = stored_tensor(np.zeros((2, 3), np.float32))
    >>> tensor.shape, tensor.kind, tensor.nbytes
    ((2, 3), 'float32', 24)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod

from netc.dsl.record import Record

from ..types.numpy_types import Array, dtype_of
from ..types.tensor_types import DTYPES, DType


class StoredTensor(Record):
    """A tensor with the function that reads it.

    `kind` is the element type's name in its source, which may be one that netc does not have. `read` returns the array: mapped from a file,
    computed, or already in memory. It raises `WeightsError`.
    """

    shape: tuple[int, ...]
    kind: str
    read: Callable[[], Array]

    @property
    def dtype(self) -> DType | None:
        """The element type; None if netc does not have it."""
        return DTYPES.get(self.kind)

    @property
    def nbytes(self) -> int:
        """The bytes of all elements; 0 if the type is unknown."""
        dtype = self.dtype
        return 0 if dtype is None else prod(self.shape) * dtype.size


class RenamedArrays(Mapping[str, Array]):
    """A view of arrays under other names, each read on access. `names` maps the new names to those in `arrays`."""

    def __init__(self, arrays: Mapping[str, Array], names: Mapping[str, str]) -> None:
        self._arrays = arrays
        self._names = names

    def __getitem__(self, name: str) -> Array:
        return self._arrays[self._names[name]]

    def __contains__(self, name: object) -> bool:
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def stored_tensor(array: Array) -> StoredTensor:
    """Wrap an array that is already in memory."""
    known = dtype_of(array.dtype)
    return StoredTensor(array.shape, known.name if known is not None else str(array.dtype), lambda: array)
