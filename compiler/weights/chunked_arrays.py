"""Conversions and checks of large arrays, chunk by chunk, so that temporary arrays stay small.

In: arrays, which may be mapped from a file. Out: converted arrays, or a property of all elements. Always: a C-contiguous array is processed
in chunks of a million elements; another array is processed at once.

    >>> convert_array(np.array([1.5, 2.0]), np.dtype(np.float32)).dtype
    dtype('float32')
    >>> all_finite(np.array([1.0, np.inf]))
    False
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..types.numpy_types import Array, NumpyType, dtype_of

Allocator = Callable[[int, NumpyType], Array]
"""Makes an uninitialized array of a number of elements and an element type."""
_CHUNK = 1 << 20
"""Elements."""
_SMALL_MATRIX = 1 << 16
"""Elements up to which a matrix fits into the caches, so that NumPy transposes it as fast as block by block."""
_ROWS, _COLUMNS = 64, 4096
"""The block that is transposed at once. A larger one does not fit into the caches; smaller ones make threads wait for the GIL more
often."""
_ROW_PADDING = 32
"""Extra elements between the rows of a block: rows a power of two apart would share a few cache lines."""
# Raised together: a half type is infinite or NaN exactly if all exponent bits are set.
_EXPONENT_BITS = {"float16": 0x7C00, "bfloat16": 0x7F80}
"""The bits that are all set in infinity and NaN, of types whose elements NumPy examines one by one."""


def split_into_chunks(array: Array) -> Iterator[Array]:
    """Yield flat views of the array, in C order."""
    if not array.flags.c_contiguous:
        yield array.reshape(-1) if array.size <= _CHUNK else array
        return
    flat = array.reshape(-1)
    for begin in range(0, flat.size, _CHUNK):
        yield flat[begin : begin + _CHUNK]


def split_into_contiguous_chunks(array: Array) -> Iterator[Array]:
    """Yield the elements in C order; a transposed array is copied a number of rows at a time."""
    if array.flags.c_contiguous or array.size <= _CHUNK or array.ndim < 2:
        yield from split_into_chunks(np.ascontiguousarray(array))
    elif array.size > _CHUNK * len(array):
        for item in array:
            yield from split_into_contiguous_chunks(item)
    else:
        rows = _CHUNK * len(array) // array.size
        for begin in range(0, len(array), rows):
            yield make_contiguous(array[begin : begin + rows])


def make_contiguous(array: Array, allocate: Allocator = np.empty) -> Array:
    """Return the array in C order; `allocate` makes the memory of a large copy.

    NumPy copies a transposed matrix column by column. Rows a power of two apart map to the same cache lines, so nearly each element is read
    from memory. Copying a block first makes the transposition 6 to 12 times as fast.
    """
    if array.ndim != 2 or array.size <= _SMALL_MATRIX or array.strides[0] != array.itemsize:
        return np.ascontiguousarray(array)
    columns, rows = array.shape
    result = allocate(array.size, array.dtype).reshape(array.shape)
    block = np.empty((_ROWS, _COLUMNS + _ROW_PADDING), array.dtype)
    for row in range(0, rows, _ROWS):
        for column in range(0, columns, _COLUMNS):
            source = array.T[row : row + _ROWS, column : column + _COLUMNS]
            copy = block[: source.shape[0], : source.shape[1]]
            copy[...] = source
            result[column : column + _COLUMNS, row : row + _ROWS] = copy.T
    return result


def convert_array(array: Array, dtype: NumpyType) -> Array:
    """Return the array in another type of floats, or of integers.

    Raises OverflowError if a number is out of range, or if an integer has no exact counterpart.
    """
    if array.dtype == dtype:
        return array
    result = np.empty(array.shape, dtype)
    if not array.flags.c_contiguous:
        _convert_chunk(array, result)
        return result
    for part, target in zip(split_into_chunks(array), split_into_chunks(result), strict=True):
        _convert_chunk(part, target)
    return result


def _convert_chunk(array: Array, target: Array) -> None:
    with np.errstate(over="ignore"):
        target[...] = array
    kind = dtype_of(array.dtype)
    if kind is not None and kind.is_float:
        # float16 and bfloat16 have equal sizes, but float16 holds smaller numbers only.
        narrower = target.itemsize < array.itemsize or {str(target.dtype), str(array.dtype)} == {"float16", "bfloat16"}
        overflows = narrower and not all_finite(target) and bool((np.isinf(target) & ~np.isinf(array)).any())
    else:
        # A comparison with the source finds integers that did not fit.
        overflows = bool((target != array).any())
    if overflows:
        raise OverflowError


def all_finite(array: Array) -> bool:
    """Whether an array of floats has neither NaN nor infinity."""
    # NumPy's `isfinite` converts half types element by element; comparing their exponent bits runs in vector instructions.
    exponent = _EXPONENT_BITS.get(array.dtype.name)
    if exponent is None:
        return all(bool(np.isfinite(part).all()) for part in split_into_chunks(array))
    bits = (part.view(np.uint16) & exponent for part in split_into_chunks(array))
    return all(part.size == 0 or int(part.max()) < exponent for part in bits)


def arrays_equal(array: Array, other: Array) -> bool:
    """Whether two arrays of one shape hold the same numbers; NaN equals NaN."""
    if not (array.flags.c_contiguous and other.flags.c_contiguous):
        return np.array_equal(array, other, equal_nan=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(split_into_chunks(array), split_into_chunks(other), strict=True))
