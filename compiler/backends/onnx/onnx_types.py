"""Converts tensors and types to ONNX.

>>> from ...types.tensor_types import DTYPES
>>> element_code(DTYPES["float16"]), element_name(7)
(10, 'int64')
"""

from __future__ import annotations

from functools import cache
from sys import byteorder

from ...dims import format_dim
from ...types.numpy_types import Array, NumpyType, dtype_of
from ...types.tensor_types import DTYPES, DType, TensorType
from .messages import TensorProto, TypeProto

_OTHER_NAMES = {"float32": "FLOAT", "float64": "DOUBLE"}
_CODES = {name: int(TensorProto.DataType.Value(_OTHER_NAMES.get(name, name.upper()))) for name in DTYPES}
_NAMES = {code: name for name, code in _CODES.items()}


def element_code(dtype: DType) -> int:
    """Return ONNX's number for the element type, such as `TensorProto.FLOAT`."""
    return _CODES[dtype.name]


def element_name(code: int) -> str:
    """Return netc's name for ONNX's number of an element type."""
    return _NAMES[code]


def find_element_name(code: int) -> str | None:
    """Return netc's name for ONNX's number of an element type, or None if netc lacks the type."""
    return _NAMES.get(code)


@cache
def _code_of(dtype: NumpyType) -> int:
    known = dtype_of(dtype)
    if known is None:
        raise ValueError(f"no tensor can hold elements of type {dtype}")
    return element_code(known)


def fill_tensor(tensor: TensorProto, name: str, array: Array) -> None:
    """Fill an empty `TensorProto` with the array, little-endian."""
    tensor.name = name
    tensor.data_type = _code_of(array.dtype)
    tensor.dims.extend(array.shape)
    tensor.raw_data = array.tobytes() if byteorder == "little" else array.byteswap().tobytes()


def fill_type(proto: TypeProto, type: TensorType) -> None:
    """Fill an empty `TypeProto` with element type and shape. The text of a symbolic axis becomes its `dim_param`."""
    tensor = proto.tensor_type
    tensor.elem_type = element_code(type.dtype)
    # Without this, a scalar would have no shape at all, which means an unknown one.
    tensor.shape.SetInParent()
    for d in type.shape:
        axis = tensor.shape.dim.add()
        if isinstance(d, int):
            axis.dim_value = d
        else:
            axis.dim_param = format_dim(d)
