"""Converts arrays for a session of ONNX Runtime, and its results back to arrays.

In: values by input name. Out: arrays of the types and shapes that the model declares, or a `ValueError` with the reason; results by name.
Always: a symbolic axis has one size in all inputs. Numbers change only by the precision of floating point.

    >>> from ...types.tensor_types import DTYPES
    >>> inputs = {name: Port(name, DTYPES["float32"], ("N", 3)) for name in ("x", "mask")}
    >>> assign_inputs(inputs, (1,), {"mask": 2})
    {'x': 1, 'mask': 2}
    >>> assign_inputs(inputs, (1,), {"masks": 2})
    Traceback (most recent call last):
    ValueError: the model has no input `masks`: its inputs are `x`, `mask`
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection, Mapping
from typing import Any

import ml_dtypes
import numpy as np
import onnxruntime
from onnx import TensorProto

from ...ir.ports import Port, Sizes, check_shape
from ...types.numpy_types import Array, dtype_of, numpy_dtype, to_array
from ...types.tensor_types import DTYPES, DType

_OTHER_NAMES = {"float": "float32", "double": "float64"}
_BFLOAT16 = DTYPES["bfloat16"]


class UnknownPort(ValueError):
    """A model with an input or output of a type that netc does not have."""


def read_port(declared: Any) -> Port:
    """Convert ONNX Runtime's description of an input or output."""
    element = declared.type.removeprefix("tensor(").removesuffix(")")
    dtype = DTYPES.get(_OTHER_NAMES.get(element, element))
    if dtype is None:
        raise UnknownPort(f"`{declared.name}` is of the type `{declared.type}`, which netc does not have")
    return Port(declared.name, dtype, tuple("" if d is None else d for d in declared.shape or ()))


def assign_inputs(inputs: Mapping[str, Port], positional: tuple[object, ...], named: Mapping[str, object]) -> dict[str, object]:
    """Assign a value to each input."""
    names = list(inputs)
    if len(positional) > len(names):
        raise ValueError(f"the model has {_format_count(len(names))}, found {len(positional)}")
    values = dict(zip(names, positional, strict=False))
    for name, value in named.items():
        if name not in inputs:
            raise ValueError(f"the model has no input `{name}`: its inputs are {_format_names(names)}")
        if name in values:
            raise ValueError(f"the input `{name}` is given twice, by position and by name")
        values[name] = value
    missing = [name for name in names if name not in values]
    if missing:
        raise ValueError(f"the model needs {_format_names(missing)} too: its inputs are {_format_names(names)}")
    return values


def _format_count(count: int) -> str:
    return "one input" if count == 1 else f"{count} inputs"


def _format_names(names: list[str]) -> str:
    return ", ".join(f"`{n}`" for n in names)


def make_feeds(inputs: Mapping[str, Port], values: Mapping[str, object]) -> dict[str, Array]:
    """Convert the values to arrays that the model takes."""
    sizes: Sizes = {}
    feeds = {}
    for name, declared in inputs.items():
        try:
            array = to_array(values[name])
        except (ValueError, TypeError, RuntimeError) as error:
            raise ValueError(f"the input `{name}` cannot be used: {error}") from error
        check_shape(declared, array.shape, sizes)
        feeds[name] = _convert_array(declared, array)
    return feeds


def make_known_feeds(inputs: Mapping[str, Port], values: Mapping[str, object]) -> dict[str, Array]:
    """Convert values whose shapes are known to fit. An array of the input's type, as in a loop over tokens, stays as it is."""
    feeds = {n: a for n, a in values.items() if type(a) is np.ndarray and a.dtype == numpy_dtype(inputs[n].dtype)}
    others = {name: value for name, value in values.items() if name not in feeds}
    return feeds if not others else feeds | make_feeds({name: inputs[name] for name in others}, others)


def _convert_array(declared: Port, array: Array) -> Array:
    needed = numpy_dtype(declared.dtype)
    if array.dtype == needed:
        return array
    dtype = dtype_of(array.dtype)
    assert dtype is not None, "array_of lets no other type through"
    with np.errstate(over="ignore", invalid="ignore"):
        converted = array.astype(needed)
    # An overflow to infinity would go on silently, so the first such number is named.
    if dtype.is_float and declared.dtype.is_float:
        overflowed = array[np.isfinite(array) & ~np.isfinite(converted)]
        if overflowed.size:
            raise ValueError(f"the input `{declared.name}` is {declared.dtype}, in which {overflowed[0]:g} would be infinite")
        return converted
    if not dtype.is_integer or declared.dtype.kind == "bool":
        raise ValueError(f"the input `{declared.name}` is {declared}, found {dtype}")
    if not np.array_equal(array, converted.astype(array.dtype)):
        raise ValueError(f"the input `{declared.name}` is {declared.dtype}, which cannot hold all the {dtype} given")
    return converted


def run_session(session: Any, feeds: dict[str, Array], outputs: Mapping[str, Port]) -> dict[str, Array]:
    """Run the session."""
    # `session.run` takes and returns NumPy's own types only, so bfloat16 goes through OrtValue.
    halves = any(p.dtype == _BFLOAT16 for p in outputs.values()) or any(a.dtype == ml_dtypes.bfloat16 for a in feeds.values())
    if not halves:
        return dict(zip(outputs, session.run(list(outputs), feeds), strict=True))
    values = session.run_with_ort_values(list(outputs), {name: to_ort_value(array) for name, array in feeds.items()})
    return {name: from_ort_value(value, outputs[name].dtype) for name, value in zip(outputs, values, strict=True)}


def run_session_keeping(
    session: Any, feeds: Mapping[str, Array], values: Mapping[str, Any], kept: Collection[str], outputs: Mapping[str, Port]
) -> dict[str, Any]:
    """Run the session on arrays and on `values` of ONNX Runtime. The outputs `kept` stay such values, without a copy. Others are
    arrays."""
    results = repeat_session(session, feeds, values, list(outputs))
    return {
        name: value if name in kept else from_ort_value(value, outputs[name].dtype) for name, value in zip(outputs, results, strict=True)
    }


def repeat_session(session: Any, feeds: Mapping[str, Array], values: Mapping[str, Any], outputs: list[str]) -> list[Any]:
    """Run the session on arrays and on `values` of ONNX Runtime. The outputs are such values, in order."""
    results: list[Any] = session.run_with_ort_values(outputs, {**values, **{name: to_ort_value(array) for name, array in feeds.items()}})
    return results


# ONNX Runtime takes and returns NumPy arrays of NumPy's own types; bfloat16, which is not one, is passed as its bits.


def to_ort_value(array: Array) -> Any:
    """Convert an array to a value of ONNX Runtime."""
    if array.dtype != ml_dtypes.bfloat16:
        return onnxruntime.OrtValue.ortvalue_from_numpy(array)
    bits = np.asarray(array, order="C").view(np.uint16)
    return onnxruntime.OrtValue.ortvalue_from_numpy_with_onnx_type(bits, TensorProto.BFLOAT16)


def from_ort_value(value: Any, dtype: DType) -> Array:
    """Convert a value of ONNX Runtime to an array."""
    if dtype != _BFLOAT16:
        return value.numpy()  # type: ignore[no-any-return]
    shape = tuple(value.shape())
    size = int(np.prod(shape)) * dtype.size
    bits = ctypes.string_at(value.data_ptr(), size) if size else b""
    return np.frombuffer(bytearray(bits), dtype=ml_dtypes.bfloat16).reshape(shape)
