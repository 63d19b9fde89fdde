"""Tensors and types as ONNX writes them."""

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
    """The number ONNX gives the element type: `TensorProto.FLOAT` and so on."""
    return _CODES[dtype.name]


def element_name(code: int) -> str:
    """The other way round: what netc calls the type."""
    return _NAMES[code]


@cache
def _code_of(dtype: NumpyType) -> int:
    known = dtype_of(dtype)
    if known is None:
        raise ValueError(f"no tensor can hold elements of type {dtype}")
    return element_code(known)


def fill_tensor(tensor: TensorProto, name: str, array: Array) -> None:
    """Puts the array into an empty `TensorProto`, little-endian."""
    tensor.name = name
    tensor.data_type = _code_of(array.dtype)
    tensor.dims.extend(array.shape)
    tensor.raw_data = array.tobytes() if byteorder == "little" else array.byteswap().tobytes()


def fill_type(proto: TypeProto, type: TensorType) -> None:
    """Puts element type and shape into an empty `TypeProto`; the text of symbolic axes is their `dim_param`."""
    tensor = proto.tensor_type
    tensor.elem_type = element_code(type.dtype)
    tensor.shape.SetInParent()
    for d in type.shape:
        axis = tensor.shape.dim.add()
        if isinstance(d, int):
            axis.dim_value = d
        else:
            axis.dim_param = format_dim(d)
