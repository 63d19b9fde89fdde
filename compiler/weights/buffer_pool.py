"""A buffer pool for large arrays.

In: the size and element type of an array. Out: an uninitialized array. Always: a buffer is reused only after its array and all views of it
are gone, and only for arrays of at least a quarter of its size. Mapping fresh pages can take longer than filling them with random numbers,
so exports of large models draw their weights into reused buffers.

    >>> pool = BufferPool()
    >>> pool.allocate_array(1 << 20, np.dtype(np.float32)).nbytes
    4194304
"""

from __future__ import annotations

from threading import Lock
from typing import Any
from weakref import ref

import numpy as np

from ..types.numpy_types import Array, NumpyType

_LEAST, _MOST = 1 << 20, 1 << 27
"""Bytes of the arrays that are pooled. Allocating smaller ones is free, and keeping larger ones would double the peak of memory."""


class BufferPool:
    """Buffers with a weak reference to the array that uses each. Threads may share a pool."""

    def __init__(self) -> None:
        self._buffers: list[tuple[bytearray, ref[Any]]] = []
        self._lock = Lock()

    def allocate_array(self, count: int, dtype: NumpyType) -> Array:
        size = count * dtype.itemsize
        if not _LEAST <= size <= _MOST:
            return np.empty(count, dtype)
        with self._lock:
            return self._reuse_buffer(size, count, dtype)

    def _reuse_buffer(self, size: int, count: int, dtype: NumpyType) -> Array:
        unused = [n for n, (buffer, user) in enumerate(self._buffers) if size <= len(buffer) <= 4 * size and user() is None]
        if not unused:  # drop the unused buffers that are too small, or a growing sequence of arrays would keep all of them
            self._buffers = [(buffer, user) for buffer, user in self._buffers if len(buffer) >= size or user() is not None]
        index = min(unused, key=lambda n: len(self._buffers[n][0]), default=len(self._buffers))
        buffer = self._buffers[index][0] if unused else bytearray(size)
        array = np.frombuffer(
            buffer, dtype, count
        )  # `frombuffer` makes the base of all later views, so the weak reference dies with the last
        self._buffers[index : index + 1] = [(buffer, ref(array))]
        return array
