"""Tensors that have not been read.

In: an array, or what a file says of one. Out: a `StoredTensor`. Always: its shape and type are known without its numbers; nothing is in
memory but while `read`'s result is used.
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod

from netc.dsl.record import Record

from ..ir.elements import Array, dtype_of
from ..ir.types import DTYPES, DType


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
        return prod(self.shape) * (self.dtype.size if self.dtype is not None else 0)


def of_array(array: Array) -> StoredTensor:
    """An array that is in memory already."""
    known = dtype_of(array.dtype)
    return StoredTensor(array.shape, known.name if known is not None else str(array.dtype), lambda: array)
