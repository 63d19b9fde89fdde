"""Tensors that have not been read.

In: an array, or what a file says of one. Out: a `StoredTensor`. Always: its shape and type are known without its numbers; nothing is in
memory but while `read`'s result is used.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from math import prod

from netc.dsl.record import Record

from ..types.numpy_types import Array, dtype_of
from ..types.tensor_types import DTYPES, DType


class StoredTensor(Record):
    """`kind` is the element type as its source calls it, which may be one that netc does not have. `read` gives the array: mapped from a
    file, made, or one that is in memory; a `WeightsError` if that fails."""

    shape: tuple[int, ...]
    kind: str
    read: Callable[[], Array]

    @property
    def dtype(self) -> DType | None:
        """None for a type that netc does not have."""
        return DTYPES.get(self.kind)

    @property
    def nbytes(self) -> int:
        """The bytes of its elements; 0 if their type is unknown."""
        dtype = self.dtype
        return 0 if dtype is None else prod(self.shape) * dtype.size


class Renamed(Mapping[str, Array]):
    """Arrays under other names, each read when it is asked for. `names` are those that they have in `arrays`."""

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


def of_array(array: Array) -> StoredTensor:
    """An array that is in memory already."""
    known = dtype_of(array.dtype)
    return StoredTensor(array.shape, known.name if known is not None else str(array.dtype), lambda: array)
