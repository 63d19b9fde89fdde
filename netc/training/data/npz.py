"""NumPy archives. Arrays stored without compression are memory-mapped; compressed arrays are unpacked at their first use.

For example, an array `x` of the shape `[20, 3]` is a column `x` of 20 samples with 3 numbers each.
"""

from __future__ import annotations

from netc.compiler.weights.numpy_files import StoredArray, UnfitArrayFile, open_columns

from .data_paths import check_memory, check_regular_file, translate_os_errors
from .data_source import Array, ArraySource, DataError, LazyArray


def open_npz(path: str) -> ArraySource:
    """Open the arrays of the archive by name. Raises `DataError`, also for arrays of Python objects, because unpickling runs code."""
    check_regular_file(path)
    try:
        with translate_os_errors():
            return ArraySource({name: _make_lazy_array(stored) for name, stored in open_columns(path).items()})
    except UnfitArrayFile as error:
        raise DataError(str(error)) from error


def _make_lazy_array(stored: StoredArray) -> LazyArray:
    def load_array() -> Array:
        if stored.packed:
            check_memory(stored.size)
        try:
            with translate_os_errors():
                return stored.read()
        except UnfitArrayFile as error:
            raise DataError(str(error)) from error

    return LazyArray(stored.header.shape, stored.header.dtype, load_array)
