"""Finds the functions by which the ONNX standard defines operators, and fills in the attributes of one call.

In: a node of the standard set, and the items of its inputs. Out: the function that defines it, with the defaults of attributes that the
node leaves out. None if the standard has none, or none for this version.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import onnx
from onnx import helper

from ...ir.graph_values import Value
from ...types.numpy_types import numpy_dtype
from .onnx_values import Item, Known


def find_definition(node: onnx.NodeProto, inputs: Sequence[Item], version: int) -> onnx.FunctionProto | None:
    """Return the function that defines a node in the standard, or None."""
    try:
        schema: Any = onnx.defs.get_schema(node.op_type, version, "")
    except onnx.defs.SchemaError:
        return None
    # Some operators have one definition, and others have one that depends on attributes and types.
    if schema.has_function:
        body = schema.get_function_with_opset_version(version)
    elif schema.has_context_dependent_function:
        types = [_make_type(item).SerializeToString() for item in inputs]
        body = schema.get_context_dependent_function_with_opset_version(
            version, _complete_attributes(node, schema).SerializeToString(), types
        )
    else:
        return None
    function = onnx.FunctionProto.FromString(body) if body else None
    if function is not None:
        function.attribute_proto.extend(a.default_value for a in schema.attributes.values() if a.default_value.name)
    return function


def _complete_attributes(node: onnx.NodeProto, schema: Any) -> onnx.NodeProto:
    """Return the node with all its attributes, defaults included. A definition that depends on the node reads them from it."""
    complete = onnx.NodeProto()
    complete.CopyFrom(node)
    explicit = {attribute.name for attribute in node.attribute}
    complete.attribute.extend(a.default_value for name, a in schema.attributes.items() if a.default_value.name and name not in explicit)
    return complete


def _make_type(item: Item) -> onnx.TypeProto:
    """Return the type of an input, or no type if it is left out."""
    match item:
        case Value():
            element = helper.np_dtype_to_tensor_dtype(numpy_dtype(item.type.dtype))
            return helper.make_tensor_type_proto(element, [d if isinstance(d, int) else None for d in item.type.shape])
        case Known():
            return helper.make_tensor_type_proto(helper.np_dtype_to_tensor_dtype(item.array.dtype), item.array.shape)
    return onnx.TypeProto()


def fill_attributes(node: onnx.NodeProto, call_attributes: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    """Replace references to attributes in a node of a function by the attributes of a call.

    `alpha: @slope` becomes `alpha: 0.1` for `Activation(slope=0.1)`. Attributes that the call leaves out are left out.
    """
    if not any(a.ref_attr_name for a in node.attribute):
        return node
    copy = onnx.NodeProto()
    copy.CopyFrom(node)
    del copy.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            copy.attribute.append(attribute)
        elif attribute.ref_attr_name in call_attributes:
            filled = copy.attribute.add()
            filled.CopyFrom(call_attributes[attribute.ref_attr_name])
            filled.name = attribute.name
    return copy
