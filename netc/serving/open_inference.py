"""The Open Inference Protocol, version 2, which KServe, Triton and others speak: tensors in, tensors out.

In: the session of a model, and the body of a request. Out: the arrays that the model takes, and the body of the response. Always: a tensor
has the type and the shape that the model declares, and numbers never change: 300 is no INT8, and `true` is no number. Tensors are JSON, or
bytes after the JSON by the binary extension, which is the only form without loss for infinite numbers.

For example, `{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.5, 1.5]}]}` is one sample with two numbers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from netc.compiler.ir.ports import Port, shape_fits
from netc.compiler.types.numpy_types import numpy_dtype
from netc.dsl.record import Record

from ..prediction.prediction_files import list_json
from ..training.data.data_source import Array
from .datatypes import name_datatype
from .json_arrays import NotAnArray, flatten_lists, read_json, show_value
from .request_refused import MALFORMED, UNFIT, RequestRefused

if TYPE_CHECKING:
    from netc.compiler.types.tensor_types import DType

VERSION = "1"
"""The version of the only model of a server."""
HEADER_LENGTH = "Inference-Header-Content-Length"
"""The HTTP header with the number of bytes of the JSON part of a body with binary tensors."""
_BINARY_SIZE, _BINARY_DATA, _BINARY_OUTPUT = "binary_data_size", "binary_data", "binary_data_output"


class InferRequest(Record):
    """A request that was read. `outputs` are the names of the wanted outputs, in order, each with whether its tensor is sent as bytes."""

    id: str | None
    arrays: dict[str, Array]
    outputs: dict[str, bool]


def describe_model(name: str, inputs: Mapping[str, Port], outputs: Mapping[str, Port]) -> dict[str, Any]:
    """Return the metadata of the model."""
    return {
        "name": name,
        "versions": [VERSION],
        "platform": "onnxruntime_onnx",
        "inputs": [_describe_port(port) for port in inputs.values()],
        "outputs": [_describe_port(port) for port in outputs.values()],
    }


def _describe_port(port: Port) -> dict[str, Any]:
    return {
        "name": port.name,
        "datatype": name_datatype(port.dtype),
        "shape": [size if isinstance(size, int) else -1 for size in port.shape],
    }


def read_infer_request(text: bytes, binary: memoryview, inputs: Mapping[str, Port], outputs: Mapping[str, Port]) -> InferRequest:
    """Read a request: its JSON part, and the bytes after it. Raises `RequestRefused`."""
    content = read_json(text)
    if not isinstance(content, dict):
        raise RequestRefused(MALFORMED, "the body must be an object with `inputs`")
    id = content.get("id")
    if id is not None and not isinstance(id, str):
        raise RequestRefused(MALFORMED, f"`id` must be a text, and is {show_value(id)}")
    arrays = _read_inputs(_list_tensors(content, "inputs"), binary, inputs)
    return InferRequest(id, arrays, _read_outputs(content, outputs))


def write_infer_response(
    name: str, request: InferRequest, results: Mapping[str, Array], ports: Mapping[str, Port]
) -> tuple[bytes, int | None]:
    """Return the body, and the length of its JSON part if tensors follow it as bytes. Raises `RequestRefused`."""
    tensors, blobs = [], []
    for output, is_binary in request.outputs.items():
        array = results[output]
        tensor: dict[str, Any] = {"name": output, "datatype": name_datatype(ports[output].dtype), "shape": list(array.shape)}
        if is_binary:
            blobs.append(_to_bytes(array))
            tensor["parameters"] = {_BINARY_SIZE: len(blobs[-1])}
        else:
            tensor["data"] = _list_numbers(output, array)
        tensors.append(tensor)
    content = {"model_name": name, "model_version": VERSION} | ({} if request.id is None else {"id": request.id}) | {"outputs": tensors}
    text = json.dumps(content).encode()
    return text + b"".join(blobs), len(text) if blobs else None


def split_body(body: bytes, header_length: str | None) -> tuple[bytes, memoryview]:
    """Split a body into its JSON part and the bytes of tensors. Raises `RequestRefused`."""
    if header_length is None:
        return body, memoryview(b"")
    if not (header_length.isascii() and header_length.isdigit() and len(header_length) < 12 and int(header_length) <= len(body)):
        raise RequestRefused(MALFORMED, f"`{HEADER_LENGTH}` must be the length of the JSON part, at most {len(body)} bytes")
    length = int(header_length)
    return body[:length], memoryview(body)[length:]


def _list_tensors(content: Mapping[str, Any], key: str) -> list[dict[str, Any]]:
    tensors = content.get(key)
    if not isinstance(tensors, list) or not tensors:
        found = "missing" if key not in content else "an empty list" if tensors == [] else show_value(tensors)
        raise RequestRefused(MALFORMED, f"`{key}` must be a list of tensors, and is {found}")
    names = []
    for index, tensor in enumerate(tensors):
        if not isinstance(tensor, dict) or not isinstance(tensor.get("name"), str):
            raise RequestRefused(MALFORMED, f"`{key}[{index}]` must be an object with a `name`")
        if not isinstance(tensor.get("parameters", {}), dict):
            raise RequestRefused(MALFORMED, f"the `parameters` of `{tensor['name']}` must be an object")
        names.append(tensor["name"])
    duplicate = next((name for name in names if names.count(name) > 1), None)
    if duplicate is not None:
        raise RequestRefused(MALFORMED, f"`{key}` has `{duplicate}` twice")
    return tensors


def _read_inputs(tensors: Sequence[dict[str, Any]], binary: memoryview, inputs: Mapping[str, Port]) -> dict[str, Array]:
    known = ", ".join(f"`{name}`" for name in inputs)
    arrays: dict[str, Array] = {}
    start = 0
    for tensor in tensors:
        name = tensor["name"]
        if name not in inputs:
            raise RequestRefused(UNFIT, f"the model has no input {show_value(name)}: its inputs are {known}")
        shape = _read_shape(tensor, inputs[name])
        size = tensor.get("parameters", {}).get(_BINARY_SIZE)
        if size is None:
            arrays[name] = _read_data(tensor, inputs[name], shape)
        else:
            arrays[name] = _read_bytes(name, size, binary[start:], inputs[name].dtype, shape)
            start += size
    missing = next((name for name in inputs if name not in arrays), None)
    if missing is not None:
        raise RequestRefused(UNFIT, f"the input `{missing}` is missing: the inputs are {known}")
    if start != len(binary):
        raise RequestRefused(MALFORMED, f"{len(binary)} bytes follow the JSON, and its tensors have {start}")
    return arrays


def _read_shape(tensor: Mapping[str, Any], port: Port) -> tuple[int, ...]:
    name, shape, datatype = port.name, tensor.get("shape"), tensor.get("datatype")
    wanted = name_datatype(port.dtype)
    if datatype != wanted:
        raise RequestRefused(UNFIT, f"the `datatype` of `{name}` must be {wanted}, and is {show_value(datatype)}")
    if not isinstance(shape, list):
        raise RequestRefused(MALFORMED, f"the `shape` of `{name}` must be a list of sizes, and is {show_value(shape)}")
    wrong = [size for size in shape if type(size) is not int or not 0 <= size < 2**31]
    if wrong:
        raise RequestRefused(MALFORMED, f"the `shape` of `{name}` must be a list of sizes, and has {show_value(wrong[0])}")
    if not shape_fits(port.shape, tuple(shape)):
        raise RequestRefused(UNFIT, f"the input `{name}` is {port}, found the shape {shape[:16]}")
    if 0 in shape:
        raise RequestRefused(UNFIT, f"the input `{name}` has the shape {shape[:16]}, without elements")
    return tuple(shape)


def _read_data(tensor: Mapping[str, Any], port: Port, shape: tuple[int, ...]) -> Array:
    name, data, dtype = port.name, tensor.get("data"), numpy_dtype(port.dtype)
    if not isinstance(data, list):
        raise RequestRefused(MALFORMED, f"the `data` of `{name}` must be a list, and is {show_value(data)}")
    try:
        lists, flat = flatten_lists(data)
    except NotAnArray as error:
        raise RequestRefused(UNFIT, f"the `data` of `{name}`: {error}") from None
    if len(flat) != prod(shape) or (len(lists) > 1 and lists != shape):
        raise RequestRefused(UNFIT, f"the `shape` of `{name}` is {list(shape)}, and its `data` has the shape {list(lists)}")
    allowed = {bool} if port.dtype.kind == "bool" else {int} if port.dtype.is_integer else {int, float}
    if not set(map(type, flat)) <= allowed:
        strange = next(item for item in flat if type(item) not in allowed)
        raise RequestRefused(UNFIT, f"the `data` of `{name}` has {show_value(strange)}, which is no {name_datatype(port.dtype)}")
    try:
        with np.errstate(over="ignore"):
            array = np.array(flat, np.float64).astype(dtype) if port.dtype.is_float else np.array(flat, dtype)
    except OverflowError:
        raise RequestRefused(UNFIT, f"the `data` of `{name}` has a number that {name_datatype(port.dtype)} does not have") from None
    if port.dtype.is_float and not np.isfinite(array).all():
        raise RequestRefused(UNFIT, f"the `data` of `{name}` has a number that is too large for {name_datatype(port.dtype)}")
    return array.reshape(shape)


def _read_bytes(name: str, size: Any, binary: memoryview, dtype: DType, shape: tuple[int, ...]) -> Array:
    needed = prod(shape) * numpy_dtype(dtype).itemsize
    if type(size) is not int or size != needed:
        raise RequestRefused(UNFIT, f"the `{_BINARY_SIZE}` of `{name}` must be {needed} for its shape, and is {show_value(size)}")
    if len(binary) < size:
        raise RequestRefused(MALFORMED, f"the bytes of `{name}` are missing: {len(binary)} are left, and it has {size}")
    if dtype.kind == "bool":
        numbers = np.frombuffer(binary[:size], np.uint8)
        if (numbers > 1).any():
            raise RequestRefused(UNFIT, f"a byte of `{name}` is {numbers.max()}, and a boolean is 0 or 1")
        array: Array = numbers.astype(np.bool_)
    else:
        array = np.frombuffer(binary[:size], _to_little_endian(numpy_dtype(dtype))).astype(numpy_dtype(dtype), copy=False)
    return array.reshape(shape)


def _read_outputs(content: Mapping[str, Any], outputs: Mapping[str, Port]) -> dict[str, bool]:
    parameters = content.get("parameters", {})
    if not isinstance(parameters, dict):
        raise RequestRefused(MALFORMED, f"`parameters` must be an object, and is {show_value(parameters)}")
    default = parameters.get(_BINARY_OUTPUT, False) is True
    if "outputs" not in content:
        return dict.fromkeys(outputs, default)
    wanted = {}
    for tensor in _list_tensors(content, "outputs"):
        if tensor["name"] not in outputs:
            known = ", ".join(f"`{name}`" for name in outputs)
            raise RequestRefused(UNFIT, f"the model has no output {show_value(tensor['name'])}: its outputs are {known}")
        wanted[tensor["name"]] = tensor.get("parameters", {}).get(_BINARY_DATA, default) is True
    return wanted


def _list_numbers(name: str, array: Array) -> list[Any]:
    """List the numbers of an output. NaN becomes null, which NumPy reads as NaN; nothing in JSON means an infinite number."""
    flat = array.astype(np.float32) if array.dtype.kind == "V" else array
    if flat.dtype.kind == "f" and np.isinf(flat).any():
        message = f"the output `{name}` has infinite numbers, which JSON cannot hold: ask for it as bytes, with `{_BINARY_DATA}` true"
        raise RequestRefused(UNFIT, message)
    return list_json(flat.ravel())


def _to_bytes(array: Array) -> bytes:
    return np.ascontiguousarray(array, _to_little_endian(array.dtype)).tobytes()


def _to_little_endian(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type with the byte order of the protocol. bfloat16, which is none of NumPy's own types, has no other order."""
    return dtype.newbyteorder("<") if dtype.kind in "iuf" else dtype
