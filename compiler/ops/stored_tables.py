"""Arrays that a table reads from a file.

In: an array, or what was read of a file. Out: a `TableArray`. Always: it is plain data; NumPy is imported where the numbers are needed.

    >>> import numpy as np
    >>> array = table_array(np.array([[0, 1], [2, 3]], dtype=np.int64), "index.safetensors", "index")
    >>> array.dtype, array.shape, array.name
    (int64, (2, 2), 'index')
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from netc.dsl.record import Record

from ..types.tensor_types import DType

if TYPE_CHECKING:
    from ..types.numpy_types import Array

LIMIT = 64 << 20
"""The largest file of arrays, in bytes."""
SAFETENSORS_TYPES = {
    "F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16",
    "I64": "int64", "I32": "int32", "I16": "int16", "I8": "int8", "U8": "uint8", "BOOL": "bool",
}  # fmt: skip
"""The element types by their names in safetensors."""


class TableArray(Record):
    """An array of a safetensors file: the path in the spec, the array's name in the file, and its elements row by row, little-endian."""

    path: str
    name: str
    dtype: DType
    shape: tuple[int, ...]
    data: bytes

    def load_array(self) -> Array:
        """Return the numbers as an array."""
        import numpy as np

        from ..types.numpy_types import numpy_dtype

        element = numpy_dtype(self.dtype)
        return np.frombuffer(self.data, element.newbyteorder("<")).astype(element).reshape(self.shape)

    def __repr__(self) -> str:
        return f"TableArray({self.path!r}, {self.name!r}, {self.dtype}, {self.shape})"

    @property
    def content_key(self) -> tuple[DType, tuple[int, ...], bytes]:
        """A key that is equal for equal arrays, wherever they are stored."""
        return self.dtype, self.shape, self.data


def table_array(array: Array, path: str = "", name: str = "") -> TableArray:
    """Make a `TableArray` of an array. A ValueError for an element type that netc does not have."""
    from ..types.numpy_types import dtype_of

    dtype = dtype_of(array.dtype)
    if dtype is None:
        raise ValueError(f"there are no tensors of {array.dtype}")
    return TableArray(path, name, dtype, tuple(map(int, array.shape)), array.astype(array.dtype.newbyteorder("<")).tobytes())
