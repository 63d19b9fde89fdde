"""Attributes of ONNX nodes. Nodes of a large model have few distinct ones: each is made once and copied."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import AttributeProto, NodeProto, TensorProto, helper

from ...ir.types import DType
from .elements import element_code, fill_tensor


def _tensor(array: NDArray[Any]) -> TensorProto:
    proto = TensorProto()
    fill_tensor(proto, "", array)
    return proto


def _plain(value: object) -> object:
    """The value as `make_attribute` takes it."""
    match value:
        case DType():
            return element_code(value)
        case np.ndarray():
            return _tensor(value)
        case np.generic():
            return value.item()
    return value


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
            return helper.make_attribute(name, _plain(value))
        made = self._made.get((name, key))
        if made is None:
            made = self._made[name, key] = helper.make_attribute(name, _plain(value))
        return made
