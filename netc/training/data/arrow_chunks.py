"""Arrow's columns as arrays: without a copy where Arrow stores the numbers contiguously.

In: a ChunkedArray. Out: `Chunks`. Always: a missing number becomes NaN, a missing text None; lists have the same length in every row, or
`Ragged` is raised.

>>> import pyarrow as pa
>>> make_chunks("x", pa.chunked_array([[1, 2], [None]]))[np.array([0, 2])]
array([ 1., nan])
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .arrow_types import is_list, is_text
from .data_source import Array, DataError, Indices


class Chunks:
    """One column in pieces, each an array `[rows, ...]`. `starts` holds the number of the first row of each piece."""

    def __init__(self, pieces: list[Array], starts: Array) -> None:
        self.pieces, self.starts = pieces, starts

    def __getitem__(self, indices: Indices) -> Array:
        if len(self.pieces) == 1:
            return self.pieces[0][indices]
        # One fancy index for each piece that the batch touches; joining the pieces first would copy the whole column into memory.
        result = np.empty((len(indices), *self.pieces[0].shape[1:]), self.pieces[0].dtype)
        owners = np.searchsorted(self.starts, indices, side="right") - 1
        for owner in np.unique(owners):
            is_here = owners == owner
            result[is_here] = self.pieces[owner][indices[is_here] - self.starts[owner]]
        return result


class Ragged(Exception):
    """The lists of a column differ in length."""


def make_chunks(name: str, column: Any) -> Chunks:
    if (missing := find_missing_row(column)) is not None:
        raise DataError(f"sample {missing} of the column `{name}` is missing, where others are lists", "remove or fill such samples")
    # Empty chunks are skipped: a list chunk without rows has no length that could be compared with the others'.
    pieces = [_chunk_to_array(chunk) for chunk in column.chunks if len(chunk)] or [np.zeros(0)]
    if len({piece.shape[1:] for piece in pieces}) > 1:
        raise Ragged
    # A chunk of integers with a missing number was converted to floats, because NumPy's integers have no NaN; other chunks were not.
    common = np.result_type(*pieces)
    pieces = [piece.astype(common, copy=False) for piece in pieces]
    return Chunks(pieces, np.cumsum([0, *(len(piece) for piece in pieces[:-1])]))


def find_missing_row(column: Any) -> int | None:
    """Return the first row that is missing in a column of lists."""
    if not is_list(column.type) or not column.null_count:
        return None
    return int(column.is_null().to_numpy().argmax())


def _chunk_to_array(chunk: Any) -> Array:
    """Convert a chunk to an array `[rows, ...]`, without a copy where Arrow stores the numbers contiguously."""
    import pyarrow as pa

    if isinstance(chunk, pa.ExtensionArray):
        return _chunk_to_array(chunk.storage)
    if pa.types.is_dictionary(chunk.type) and is_text(chunk.type.value_type):
        # Equal cells share one text: a column of categories takes 8 bytes for a row, not 60.
        texts = np.array([*chunk.dictionary.to_pylist(), None], object)
        shared: Array = texts[chunk.indices.fill_null(len(texts) - 1).to_numpy()]
        return shared
    if pa.types.is_dictionary(chunk.type):
        return _chunk_to_array(chunk.dictionary_decode())
    if is_text(chunk.type):  # Arrow has no dictionaries of views
        return _chunk_to_array(chunk.cast(pa.large_string()).dictionary_encode())
    if pa.types.is_decimal(chunk.type) or pa.types.is_null(chunk.type):
        chunk = chunk.cast(pa.float64())
    if not is_list(chunk.type):
        array: Array = chunk.to_numpy(zero_copy_only=False)
        return array
    if chunk.null_count:
        raise DataError("some lists within its lists are missing", "remove or fill such samples")
    if pa.types.is_fixed_size_list(chunk.type):
        width = chunk.type.list_size
    else:
        lengths = np.unique(np.diff(chunk.offsets.to_numpy()))
        if len(lengths) > 1:
            raise Ragged
        width = int(lengths[0])
    # `flatten` respects the offset of a sliced chunk; `values` would return the whole buffer.
    inner = _chunk_to_array(chunk.flatten())
    return inner.reshape(len(chunk), width, *inner.shape[1:])
