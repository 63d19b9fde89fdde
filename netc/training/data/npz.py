"""NumPy archives. Arrays that are stored without compression are mapped, others are unpacked when they are needed."""

from __future__ import annotations

from netc.compiler.weights.numpy_files import StoredArray, UnfitArrayFile, open_columns

from .data_paths import check_memory, reading, regular_file
from .data_source import Array, ArraySource, DataError, LazyArray


def open_npz(path: str) -> ArraySource:
    """The arrays of the archive by name. Raises `DataError`; objects (pickles) are refused."""
    regular_file(path)
    try:
        with reading():
            return ArraySource({name: _column(stored) for name, stored in open_columns(path).items()})
    except UnfitArrayFile as error:
        raise DataError(str(error)) from error


def _column(stored: StoredArray) -> LazyArray:
    def load() -> Array:
        if stored.packed:
            check_memory(stored.size)
        try:
            with reading():
                return stored.read()
        except UnfitArrayFile as error:
            raise DataError(str(error)) from error

    return LazyArray(stored.header.shape, stored.header.dtype, load)
