"""Find the functions by which the ONNX standard defines operators, and fill in the attributes of one call.

In: a node of the standard set, and the types of its inputs. Out: the function that defines it, with the defaults of attributes that the
node leaves out. None if the standard has none, or none for this opset.

    >>> node = onnx.helper.make_node("Mish", ["x"], ["y"])
    >>> [inner.op_type for inner in find_function(node, [onnx.helper.make_tensor_type_proto(1, [8])], 23).node]
    ['Softplus', 'Tanh', 'Mul']
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import onnx

from .operator_schemas import find_schema


def find_function(node: onnx.NodeProto, types: Iterable[onnx.TypeProto], opset: int) -> onnx.FunctionProto | None:
    """Find the function that defines a node in the standard. The type of an input that is left out is empty."""
    schema = find_schema(node.op_type, opset)
    # Some operators have one definition, and others have one that depends on attributes and types.
    if schema is None:
        return None
    if schema.has_function:
        body = schema.get_function_with_opset_version(opset)
    elif schema.has_context_dependent_function:
        complete = _complete_attributes(node, schema).SerializeToString()
        body = schema.get_context_dependent_function_with_opset_version(opset, complete, [type_.SerializeToString() for type_ in types])
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


def bind_attributes(function: onnx.FunctionProto, call: onnx.NodeProto) -> list[onnx.NodeProto]:
    """Return the nodes of a function with the attributes of a call in place of references to them.

    `alpha: @slope` becomes `alpha: 0.1` for `Activation(slope=0.1)`. Attributes that have no default and that the call leaves out are
    left out.
    """
    attributes = {attribute.name: attribute for attribute in (*function.attribute_proto, *call.attribute)}
    return [_bind_node(node, attributes) for node in function.node]


def _bind_node(node: onnx.NodeProto, attributes: Mapping[str, onnx.AttributeProto]) -> onnx.NodeProto:
    if not any(attribute.ref_attr_name for attribute in node.attribute):
        return node
    bound = onnx.NodeProto()
    bound.CopyFrom(node)
    del bound.attribute[:]
    for attribute in node.attribute:
        if not attribute.ref_attr_name:
            bound.attribute.append(attribute)
        elif attribute.ref_attr_name in attributes:
            filled = bound.attribute.add()
            filled.CopyFrom(attributes[attribute.ref_attr_name])
            filled.name = attribute.name
    return bound
