"""Memory of large arrays, used again.

In: the size and the type of an array. Out: one whose values are not set. Always: memory is used again only when nothing refers to the
array that had it, nor to a view of that, and for arrays of at least a quarter of its size; what is too small for the next array is given
back. Asking the system for as much each time can take longer than to fill it with random numbers.
"""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import ref

import numpy as np

from ..types.numpy_types import Array, NumpyType

_LEAST, _MOST = 1 << 20, 1 << 27
"""Bytes of arrays whose memory is kept: smaller ones cost nothing, and larger ones are too much to keep."""


class Rooms:
    """The memory that was asked for. Threads may share it."""

    def __init__(self) -> None:
        self._rooms: list[tuple[bytearray, ref[Any]]] = []
        self._lock = Lock()

    def empty(self, count: int, dtype: NumpyType) -> Array:
        size = count * dtype.itemsize
        if not _LEAST <= size <= _MOST:
            return np.empty(count, dtype)
        with self._lock:
            return self._made(size, count, dtype)

    def _made(self, size: int, count: int, dtype: NumpyType) -> Array:
        free = [n for n, (room, user) in enumerate(self._rooms) if size <= len(room) <= 4 * size and user() is None]
        if not free:
            self._rooms = [(room, user) for room, user in self._rooms if len(room) >= size or user() is not None]
        at = min(free, key=lambda n: len(self._rooms[n][0]), default=len(self._rooms))
        room = self._rooms[at][0] if free else bytearray(size)
        made = np.frombuffer(room, dtype, count)  # the base of all its views, since it is none itself
        self._rooms[at : at + 1] = [(room, ref(made))]
        return made
