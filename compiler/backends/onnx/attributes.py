"""Makes attributes of ONNX nodes. Nodes of a large model have few distinct attributes, so each is made once and copied.

>>> make_attribute("axes", [1, 2]).ints, make_attribute("mode", "linear").s
([1, 2], b'linear')
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...types.numpy_types import Array
from ...types.tensor_types import DType
from .messages import AttributeProto, GraphProto, NodeProto, TensorProto
from .onnx_types import element_code, fill_tensor


def _make_tensor(array: Array) -> TensorProto:
    proto = TensorProto()
    fill_tensor(proto, "", array)
    return proto


def _make_key(value: object) -> object:
    """Make a key that is equal for equal attributes. None for values that are not cached."""
    # The type is part of the key: 1, 1.0 and True are equal in Python, and are different attributes.
    match value:
        case int() | float() | str() | DType():
            return (type(value), value)
        case list() | tuple():
            return tuple((type(v), v) for v in value)
    return None


class AttributeCache:
    """Makes attributes. Equal ones are made once."""

    def __init__(self) -> None:
        self._cache: dict[tuple[str, object], AttributeProto] = {}

    def add_attributes(self, node: NodeProto, attributes: dict[str, object]) -> None:
        """Add attributes to the node, except those that are None."""
        for name, value in attributes.items():
            if value is not None:
                node.attribute.append(self._find_or_make(name, value))

    def _find_or_make(self, name: str, value: object) -> AttributeProto:
        key = _make_key(value)
        if key is None:
            return make_attribute(name, value)
        proto = self._cache.get((name, key))
        if proto is None:
            proto = self._cache[name, key] = make_attribute(name, value)
        return proto


def make_attribute(name: str, value: object) -> AttributeProto:
    """Make an attribute, whose ONNX type follows from the type of the value."""
    proto = AttributeProto(name=name)
    match value:
        case DType():
            proto.i, proto.type = element_code(value), AttributeProto.INT
        case int() | np.integer() | np.bool_():
            proto.i, proto.type = int(value), AttributeProto.INT
        case float() | np.floating():
            proto.f, proto.type = float(value), AttributeProto.FLOAT
        case str():
            proto.s, proto.type = value.encode(), AttributeProto.STRING
        case np.ndarray():
            proto.t.CopyFrom(_make_tensor(value))
            proto.type = AttributeProto.TENSOR
        case GraphProto():
            proto.g.CopyFrom(value)
            proto.type = AttributeProto.GRAPH
        case list() | tuple():
            _fill_list(proto, value)
        case _:
            raise TypeError(f"no attribute can hold {value!r}")
    return proto


def _fill_list(proto: AttributeProto, values: Sequence[Any]) -> None:
    if not values:
        raise TypeError("the type of an empty list is not known")
    if all(isinstance(value, (int, np.integer)) for value in values):
        proto.ints.extend(values)
        proto.type = AttributeProto.INTS
    elif all(isinstance(value, (int, float, np.number)) for value in values):
        proto.floats.extend(values)
        proto.type = AttributeProto.FLOATS
    elif all(isinstance(value, str) for value in values):
        proto.strings.extend([value.encode() for value in values])
        proto.type = AttributeProto.STRINGS
    else:
        raise TypeError(f"no attribute can hold {values!r}")
