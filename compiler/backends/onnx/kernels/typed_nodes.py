"""Finds the element type and the shape of every value of an ONNX model, in loops too, and lists its nodes with them.

In: a model whose initializers are not read. Out: a `TypedNode` for each node. Always: a type or a shape that onnx cannot infer is None.

    >>> import netc
    >>> from ..onnx_model import build_graph
    >>> graph = build_graph(netc.compile("input 8 -> cast int32 -> max axis=1").program, {}, "tiny")
    >>> [(node.op_type, node.since, node.types["T2" if node.op_type == "Cast" else "T"]) for node in list_nodes(graph)]
    [('Cast', 23, 'int32'), ('ReduceMax', 20, 'int32')]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from onnx import helper, shape_inference

from netc.dsl.record import Record

from ....onnx_standard.operator_schemas import find_schema
from ....types.numpy_types import Array
from ....types.tensor_types import DType
from ....weights.lazy_tensors import StoredTensor
from ..graph_and_tensors import GraphAndTensors
from ..messages import GraphProto, ModelProto, NodeProto, TypeProto
from ..onnx_types import element_code, element_name, fill_tensor
from ..size_nodes import Role, find_roles

_SMALL = 1024
"""The largest constant, in bytes, whose numbers decide shapes: the shape of a Reshape, the axes of a Squeeze."""

Axes = tuple[int | None, ...] | None


class TypedValue(Record):
    """A value of a graph. `shape`: its axes, None for an axis whose size is not a number, or None if the number of axes is unknown.
    `is_constant`: no input of the model decides it. `numbers`: the numbers of a small constant."""

    dtype: str | None
    shape: Axes
    is_constant: bool = False
    numbers: Array | None = None

    @property
    def rank(self) -> int | None:
        """The number of axes."""
        return None if self.shape is None else len(self.shape)


class TypedNode(Record):
    """A node with its values. `since`: the opset that defined this form of the operator. `types`: the element types by the names of the
    type parameters, inputs and outputs of the operator's schema. `inputs`: None for an input that is left out."""

    name: str
    op_type: str
    since: int
    types: Mapping[str, str | None]
    inputs: tuple[TypedValue | None, ...]
    outputs: tuple[TypedValue | None, ...]
    attributes: Mapping[str, Any]
    role: Role
    proto: NodeProto

    def find_input(self, index: int) -> TypedValue | None:
        """Return an input. None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None


def list_nodes(graph: GraphAndTensors) -> list[TypedNode]:
    """List the nodes of a flat model, a loop before the nodes in it."""
    constants = {name: _read_constant(stored) for name, stored in graph.tensors.items()}
    return list_typed_nodes(_add_initializers(graph), graph.proto.opset_import[0].version, constants)


def list_typed_nodes(model: ModelProto, opset: int, constants: Mapping[str, TypedValue]) -> list[TypedNode]:
    """List the nodes of a model, of which `constants` are inputs or initializers."""
    return list(_walk_graph(shape_inference.infer_shapes(model).graph, opset, constants, set()))


def _add_initializers(graph: GraphAndTensors) -> ModelProto:
    """Return the model with its small constants. Other initializers become inputs, so that none of their numbers are read."""
    model = ModelProto()
    model.CopyFrom(graph.proto)
    for name, stored in graph.tensors.items():
        if _is_small(stored):
            fill_tensor(model.graph.initializer.add(), name, stored.read())
        else:
            model.graph.input.append(helper.make_tensor_value_info(name, element_code(_get_dtype(stored)), stored.shape))
    return model


def _is_small(stored: StoredTensor) -> bool:
    return stored.nbytes <= _SMALL


def _get_dtype(stored: StoredTensor) -> DType:
    assert stored.dtype is not None, "netc writes no other types before it quantizes"
    return stored.dtype


def _read_constant(stored: StoredTensor) -> TypedValue:
    return TypedValue(_get_dtype(stored).name, stored.shape, True, stored.read() if _is_small(stored) else None)


def _walk_graph(graph: GraphProto, opset: int, outer: Mapping[str, TypedValue], sizes: set[str]) -> Iterator[TypedNode]:
    described = {info.name: _read_type(info.type) for info in chain(graph.input, graph.value_info, graph.output)}
    values = {**described, **outer}
    sized = set(sizes)
    constants = {name for name, value in values.items() if value.is_constant}
    for node, role in zip(graph.node, find_roles(graph, constants, sizes), strict=True):
        if role == "constant":
            values.update({name: _mark_constant(values.get(name)) for name in node.output})
        elif role == "sizes":
            sized.update(node.output)
        yield _make_node(node, opset, values, role)
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _walk_graph(attribute.g, opset, values, sized)


def _mark_constant(value: TypedValue | None) -> TypedValue:
    return TypedValue(None, None, True) if value is None else TypedValue(value.dtype, value.shape, True)


def _make_node(node: NodeProto, opset: int, values: Mapping[str, TypedValue], role: Role) -> TypedNode:
    schema = find_schema(node.op_type, opset)
    inputs = tuple(values.get(name, TypedValue(None, None)) if name else None for name in node.input)
    outputs = tuple(values.get(name, TypedValue(None, None)) if name else None for name in node.output)
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute if not attribute.HasField("g")}
    types: dict[str, str | None] = {}
    for formals, actual in ((schema.inputs, inputs), (schema.outputs, outputs)):
        # The first value of a type parameter decides, as in ONNX Runtime. An input list is the last formal input, so its first value too.
        for formal, value in zip(formals, actual, strict=False):
            if value is not None:
                types.setdefault(formal.type_str, value.dtype)
                types.setdefault(formal.name, value.dtype)
    return TypedNode(node.name, node.op_type, schema.since_version, types, inputs, outputs, attributes, role, node)


def _read_type(type: TypeProto) -> TypedValue:
    tensor = type.tensor_type
    if not tensor.elem_type:
        return TypedValue(None, None)
    axes = tuple(axis.dim_value if axis.HasField("dim_value") else None for axis in tensor.shape.dim) if tensor.HasField("shape") else None
    return TypedValue(element_name(tensor.elem_type), axes)
