"""Arrays that are laid out and converted in parts: NumPy's own functions, which take them whole, are the judge."""

from __future__ import annotations

import ml_dtypes
import numpy as np
import pytest

from netc.compiler.weights import chunked_arrays
from netc.compiler.weights.chunked_arrays import convert_array, make_contiguous, split_into_contiguous_chunks

TYPES = [np.float16, np.float32, np.float64, np.int8, np.int64, np.bool_, ml_dtypes.bfloat16]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize(
    "shape", [(1100, 70), (64, 1024), (65, 1025), (3, 70, 130), (2, 2, 33, 65), (1, 9000), (9000, 1), (0, 5), (7,), ()]
)
def test_transposed(monkeypatch: pytest.MonkeyPatch, dtype: type, shape: tuple[int, ...]) -> None:
    monkeypatch.setattr(chunked_arrays, "_CHUNK", 3000)
    monkeypatch.setattr(chunked_arrays, "_ROWS", 8)
    monkeypatch.setattr(chunked_arrays, "_COLUMNS", 16)
    array = (np.arange(np.prod(shape, dtype=int)) % 101).reshape(shape).astype(dtype)
    for view in (array, array.T, *((array.swapaxes(0, -1), array[..., ::2], array.T[::-1]) if shape else ())):
        made = make_contiguous(view)
        assert made.flags.c_contiguous
        assert made.size == view.size
        assert made.dtype == view.dtype
        assert made.tobytes() == view.tobytes()
        assert b"".join(part.tobytes() for part in split_into_contiguous_chunks(view)) == view.tobytes()
        assert all(part.flags.c_contiguous for part in split_into_contiguous_chunks(view))


@pytest.mark.parametrize("needed", [np.float16, ml_dtypes.bfloat16, np.float32])
def test_numbers_that_a_type_lacks(needed: type) -> None:
    largest = float(ml_dtypes.finfo(needed).max)
    fine = np.array([0, -largest, largest, np.inf, -np.inf, np.nan, 1e-30])
    assert np.array_equal(convert_array(fine, np.dtype(needed)), fine.astype(needed), equal_nan=True)
    for lost in (1.01 * largest, -1.01 * largest):
        with pytest.raises(OverflowError):
            convert_array(np.array([1.0, np.inf, lost]), np.dtype(needed))
