"""Expands an operator that onnx defines by other operators, as ONNX Runtime does where no provider has a kernel for it.

In: a node. Out: the nodes of its definition, with their types. Always: they have the name of the node, because they belong to its stage.

    >>> import netc
    >>> from ..onnx_model import build_graph
    >>> from .typed_nodes import list_nodes
    >>> (mish,) = list_nodes(build_graph(netc.compile("input 8 -> mish").program, {}, "tiny"))
    >>> [inner.op_type for inner in expand_node(mish, 23)]
    ['Softplus', 'Tanh', 'Mul']
"""

from __future__ import annotations

from collections.abc import Mapping

from onnx import TypeProto, helper

from netc.dsl.record import replace

from ....types.tensor_types import DTYPES
from ..messages import AttributeProto, FunctionProto, NodeProto
from ..onnx_types import element_code
from ..opsets.schemas import find_schema
from .typed_nodes import TypedNode, TypedValue, list_typed_nodes


def expand_node(node: TypedNode, opset: int) -> list[TypedNode]:
    """Return the nodes of an operator's definition. Empty if onnx has none, or if a type is unknown."""
    types = [_make_type(value) for value in node.inputs]
    function = _find_definition(node, opset, types)
    if function is None or any(type_ is None for type_, value in zip(types, node.inputs, strict=True) if value is not None):
        return []
    given = {attribute.name: attribute for attribute in node.proto.attribute}
    defaults = {attribute.name: attribute for attribute in function.attribute_proto}
    graph = helper.make_graph(
        [_bind_attributes(inner, {**defaults, **given}) for inner in function.node],
        function.name,
        [helper.make_value_info(name, type_) for name, type_ in zip(function.input, types, strict=False) if type_ is not None],
        [],
    )
    model = helper.make_model(graph, opset_imports=function.opset_import)
    version = next(entry.version for entry in function.opset_import if not entry.domain)
    constants = {name: value for name, value in zip(function.input, node.inputs, strict=False) if value is not None and value.is_constant}
    return [replace(inner, name=node.name) for inner in list_typed_nodes(model, version, constants)]


def _make_type(value: TypedValue | None) -> TypeProto | None:
    if value is None or value.dtype is None:
        return None
    return helper.make_tensor_type_proto(element_code(DTYPES[value.dtype]), value.shape)


def _find_definition(node: TypedNode, opset: int, types: list[TypeProto | None]) -> FunctionProto | None:
    schema = find_schema(node.op_type, opset)
    if schema.has_context_dependent_function:
        inputs = [(type_ or TypeProto()).SerializeToString() for type_ in types]
        text = schema.get_context_dependent_function(node.proto.SerializeToString(), inputs)
        defined: FunctionProto = FunctionProto.FromString(text)
        return defined
    body: FunctionProto | None = schema.function_body if schema.has_function else None
    return body


def _bind_attributes(inner: NodeProto, attributes: Mapping[str, AttributeProto]) -> NodeProto:
    """Copy a node of a definition, with the attributes of the node that is expanded."""
    bound = NodeProto()
    bound.CopyFrom(inner)
    del bound.attribute[:]
    for attribute in inner.attribute:
        if not attribute.ref_attr_name:
            bound.attribute.append(attribute)
        elif attribute.ref_attr_name in attributes:
            copy = bound.attribute.add()
            copy.CopyFrom(attributes[attribute.ref_attr_name])
            copy.name = attribute.name
    return bound
