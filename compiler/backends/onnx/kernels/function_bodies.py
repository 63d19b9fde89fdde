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

from onnx import TypeProto, helper

from netc.dsl.record import replace

from ....onnx_standard.standard_functions import bind_attributes, find_function
from ....types.tensor_types import DTYPES
from ..onnx_types import element_code
from .typed_nodes import TypedNode, TypedValue, list_typed_nodes


def expand_node(node: TypedNode, opset: int) -> list[TypedNode]:
    """Return the nodes of an operator's definition. Empty if onnx has none, or if a type is unknown."""
    types = [_make_type(value) for value in node.inputs]
    known = [type_ or TypeProto() for type_ in types]
    # Newer onnx packages give no definition for an opset that has changed operators in it. ONNX Runtime takes the original one.
    function = find_function(node.proto, known, opset) or find_function(node.proto, known, node.since)
    if function is None or any(type_ is None for type_, value in zip(types, node.inputs, strict=True) if value is not None):
        return []
    graph = helper.make_graph(
        bind_attributes(function, node.proto),
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
