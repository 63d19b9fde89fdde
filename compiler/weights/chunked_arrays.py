"""Large arrays converted and examined part by part, so that what is needed in between stays small.

In: arrays, which may be mapped from a file. Out: arrays, or what holds of all their elements. Always: parts are made of arrays whose
elements follow each other in memory; others are taken whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np

from ..types.numpy_types import Array, NumpyType, dtype_of

Empty = Callable[[int, NumpyType], Array]
"""An array of a size and a type whose values are not set."""
_PART = 1 << 20
"""Elements."""
_LEAST = 1 << 16
"""Elements of a matrix that is transposed in blocks, and below which the caches have it whole."""
_ROWS, _COLUMNS = 64, 4096
"""Of a matrix, what is transposed at once: more would not fit, and for less, threads would wait for each other more often."""
_APART = 32
"""Elements by which the rows of a copy are further apart, so that they are not a power of two from each other."""
_EXPONENTS = {"float16": 0x7C00, "bfloat16": 0x7F80}
"""The bits that are all set in infinity and NaN, of types whose elements NumPy examines one by one."""


def parts(array: Array) -> Iterator[Array]:
    """Views of the array, flat, one after the other."""
    if not array.flags.c_contiguous:
        yield array.reshape(-1) if array.size <= _PART else array
        return
    flat = array.reshape(-1)
    for begin in range(0, flat.size, _PART):
        yield flat[begin : begin + _PART]


def contiguous_parts(array: Array) -> Iterator[Array]:
    """The elements in C's order, a number of rows at a time where they do not follow each other."""
    if array.flags.c_contiguous or array.size <= _PART or array.ndim < 2:
        yield from parts(np.ascontiguousarray(array))
    elif array.size > _PART * len(array):
        for item in array:
            yield from contiguous_parts(item)
    else:
        rows = _PART * len(array) // array.size
        for begin in range(0, len(array), rows):
            yield contiguous(array[begin : begin + rows])


def contiguous(array: Array, empty: Empty = np.empty) -> Array:
    """The array with its elements following each other in C's order. `empty` gives the memory of a large copy.

    Of transposed matrices NumPy's own copy reads one element of each row after the other; rows that are a power of two apart share a few
    lines of the caches, and are read from memory each time. Blocks that are copied first are transposed 6 to 12 times as fast."""
    if array.ndim != 2 or array.size <= _LEAST or array.strides[0] != array.itemsize:
        return np.ascontiguousarray(array)
    columns, rows = array.shape
    made = empty(array.size, array.dtype).reshape(array.shape)
    block = np.empty((_ROWS, _COLUMNS + _APART), array.dtype)
    for row in range(0, rows, _ROWS):
        for column in range(0, columns, _COLUMNS):
            source = array.T[row : row + _ROWS, column : column + _COLUMNS]
            copy = block[: source.shape[0], : source.shape[1]]
            copy[...] = source
            made[column : column + _COLUMNS, row : row + _ROWS] = copy.T
    return made


def converted(array: Array, needed: NumpyType) -> Array:
    """The array in a type of the same kind: floats or integers. Raises OverflowError for numbers that the type does not have."""
    if array.dtype == needed:
        return array
    made = np.empty(array.shape, needed)
    if not array.flags.c_contiguous:
        _convert(array, made)
        return made
    for part, target in zip(parts(array), parts(made), strict=True):
        _convert(part, target)
    return made


def _convert(array: Array, made: Array) -> None:
    with np.errstate(over="ignore"):
        made[...] = array
    kind = dtype_of(array.dtype)
    if kind is not None and kind.is_float:
        narrower = made.itemsize < array.itemsize or {str(made.dtype), str(array.dtype)} == {"float16", "bfloat16"}
        lost = narrower and not all_finite(made) and bool((np.isinf(made) & ~np.isinf(array)).any())
    else:
        lost = bool((made != array).any())
    if lost:
        raise OverflowError


def all_finite(array: Array) -> bool:
    """Whether there is neither NaN nor infinity in an array of floats."""
    exponent = _EXPONENTS.get(array.dtype.name)
    if exponent is None:
        return all(bool(np.isfinite(part).all()) for part in parts(array))
    bits = (part.view(np.uint16) & exponent for part in parts(array))
    return all(part.size == 0 or int(part.max()) < exponent for part in bits)


def same(one: Array, other: Array) -> bool:
    """Whether two arrays of a shape have the same numbers; NaN is the same as NaN."""
    if not (one.flags.c_contiguous and other.flags.c_contiguous):
        return np.array_equal(one, other, equal_nan=True)
    return all(np.array_equal(a, b, equal_nan=True) for a, b in zip(parts(one), parts(other), strict=True))
