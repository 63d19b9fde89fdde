"""Attributes of ONNX nodes. Nodes of a large model have few distinct ones: each is made once and copied."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...types.numpy_types import Array
from ...types.tensor_types import DType
from .messages import AttributeProto, GraphProto, NodeProto, TensorProto
from .onnx_types import element_code, fill_tensor


def _tensor(array: Array) -> TensorProto:
    proto = TensorProto()
    fill_tensor(proto, "", array)
    return proto


def _key(value: object) -> object:
    """Equal for equal attributes; 1, 1.0 and true differ. None: not to be remembered."""
    match value:
        case int() | float() | str() | DType():
            return (type(value), value)
        case list() | tuple():
            return tuple((type(v), v) for v in value)
    return None


class Attributes:
    """Makes attributes, equal ones once."""

    def __init__(self) -> None:
        self._made: dict[tuple[str, object], AttributeProto] = {}

    def put(self, node: NodeProto, attributes: dict[str, object]) -> None:
        """Adds them to the node; those that are None are left out."""
        for name, value in attributes.items():
            if value is not None:
                node.attribute.append(self._attribute(name, value))

    def _attribute(self, name: str, value: object) -> AttributeProto:
        key = _key(value)
        if key is None:
            return attribute(name, value)
        made = self._made.get((name, key))
        if made is None:
            made = self._made[name, key] = attribute(name, value)
        return made


def attribute(name: str, value: object) -> AttributeProto:
    """The value as an attribute; its type follows from that of the value."""
    made = AttributeProto(name=name)
    match value:
        case DType():
            made.i, made.type = element_code(value), AttributeProto.INT
        case int() | np.integer() | np.bool_():
            made.i, made.type = int(value), AttributeProto.INT
        case float() | np.floating():
            made.f, made.type = float(value), AttributeProto.FLOAT
        case str():
            made.s, made.type = value.encode(), AttributeProto.STRING
        case np.ndarray():
            made.t.CopyFrom(_tensor(value))
            made.type = AttributeProto.TENSOR
        case GraphProto():
            made.g.CopyFrom(value)
            made.type = AttributeProto.GRAPH
        case list() | tuple():
            _fill_list(made, value)
        case _:
            raise TypeError(f"no attribute can hold {value!r}")
    return made


def _fill_list(made: AttributeProto, values: Sequence[Any]) -> None:
    if not values:
        raise TypeError("the type of an empty list is not known")
    if all(isinstance(value, (int, np.integer)) for value in values):
        made.ints.extend(values)
        made.type = AttributeProto.INTS
    elif all(isinstance(value, (int, float, np.number)) for value in values):
        made.floats.extend(values)
        made.type = AttributeProto.FLOATS
    elif all(isinstance(value, str) for value in values):
        made.strings.extend([value.encode() for value in values])
        made.type = AttributeProto.STRINGS
    else:
        raise TypeError(f"no attribute can hold {values!r}")
