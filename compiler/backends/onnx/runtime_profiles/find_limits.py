"""Finds the nodes of a model that a runtime cannot run.

In: a model, with its initializers or with their types alone, and a profile. Out: the nodes, each with the reason. Always: element types are
inferred by onnx, also inside of loops. A node whose types are unknown is judged by its operator and attributes.

For example, the profile of tract finds a GRU, whose kernel ends the process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto, helper, shape_inference

from netc.dsl.record import Record

from ..onnx_types import find_element_name
from .runtime_profile import NodeUse, RuntimeProfile, TensorUse


class FoundLimit(Record):
    """A node that a runtime cannot run. `name` is the name of the node, `reason` a clause."""

    op_type: str
    name: str
    reason: str


def find_limits(model: ModelProto, profile: RuntimeProfile, stored: Collection[str] = ()) -> Iterator[FoundLimit]:
    """Yield the nodes that the runtime cannot run, in the order of computation. `stored`: the inputs of the graph that stand for
    initializers."""
    yield from _find_in_graph(shape_inference.infer_shapes(model).graph, {}, profile, stored)


def _find_in_graph(
    graph: GraphProto, outer: Mapping[str, TensorUse], profile: RuntimeProfile, stored: Collection[str]
) -> Iterator[FoundLimit]:
    known = dict(outer)
    known |= {value.name: _read_tensor(value, value.name in stored) for value in (*graph.input, *graph.value_info, *graph.output)}
    known |= {t.name: TensorUse(find_element_name(t.data_type), len(t.dims), True) for t in graph.initializer}
    for node in graph.node:
        reason = profile.find_reason(_read_node(node, known))
        if reason is not None:
            yield FoundLimit(node.op_type, node.name, reason)
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _find_in_graph(body, known, profile, stored)


def _read_tensor(value: ValueInfoProto, is_stored: bool) -> TensorUse:
    tensor = value.type.tensor_type
    return TensorUse(find_element_name(tensor.elem_type), len(tensor.shape.dim) if tensor.HasField("shape") else None, is_stored)


def _read_node(node: NodeProto, known: Mapping[str, TensorUse]) -> NodeUse:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return NodeUse(node.op_type, node.name, attributes, tuple(map(known.get, node.input)), tuple(map(known.get, node.output)))
