"""Finds the nodes of a model that a runtime cannot run.

In: a model, with its initializers or with their types alone, and a profile. Out: the nodes, each with the reason. Always: element types are
inferred by onnx, also inside of loops. A node whose types are unknown is judged by its operator and attributes. Tensors that
equal nodes make of equal tensors have one name, because runtimes compute them once.

For example, the profile of tract finds a GRU, whose kernel ends the process.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, external_data_helper, helper, numpy_helper, shape_inference

from netc.compiler.types.numpy_types import Array
from netc.dsl.record import Record

from ....weights.lazy_tensors import StoredTensor
from ..onnx_types import find_element_name
from .runtime_profile import NodeUse, RuntimeProfile, TensorUse


class FoundLimit(Record):
    """A node that a runtime cannot run. `name` is the name of the node, `reason` a clause."""

    op_type: str
    name: str
    reason: str


_WIDE = ("int64", "uint64", "uint32")
"""The element types of integers that 32 bits with a sign do not hold."""
_KEEPING = {
    **dict.fromkeys(("Add", "Sub", "Mul", "Div", "Max", "Min", "Clip", "Concat"), slice(None)),
    **dict.fromkeys(("Identity", "Neg", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Expand", "Slice", "Gather", "Pad"), slice(1)),
    **dict.fromkeys(("ReduceMax", "ReduceMin", "ReduceProd"), slice(1)),
    "Where": slice(1, None),
}
"""Operators whose result has the element type of some inputs, and which these are."""
_PLACES = {"ArgMax": 0, "ArgMin": 0, "NonZero": 0, "MaxPool": 1, "TopK": 1}
"""Operators that give places, and which of their results these are."""


def find_limits(model: ModelProto, profile: RuntimeProfile, stored: Mapping[str, StoredTensor] | None = None) -> Iterator[FoundLimit]:
    """Yield the nodes that the runtime cannot run, in the order of computation. `stored`: the inputs of the graph that stand for
    initializers."""
    yield from _find_in_graph(shape_inference.infer_shapes(model).graph, {}, profile, stored or {})


def _find_in_graph(
    graph: GraphProto, outer: Mapping[str, TensorUse], profile: RuntimeProfile, stored: Mapping[str, StoredTensor]
) -> Iterator[FoundLimit]:
    known = dict(outer)
    outputs = _find_sources(graph)
    known |= {v.name: _read_tensor(v, stored.get(v.name), v.name in outputs) for v in (*graph.input, *graph.value_info, *graph.output)}
    known |= {t.name: _read_initializer(t.name, t) for t in graph.initializer}
    made: dict[tuple[object, ...], str] = {}
    for node in graph.node:
        _join_equal(node, known, made, outputs)
        reason = profile.find_reason(_read_node(node, known))
        if reason is not None:
            yield FoundLimit(node.op_type, node.name, reason)
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _find_in_graph(body, known, profile, stored)


def _find_sources(graph: GraphProto) -> set[str]:
    """Return the outputs of a graph, and the tensors that they are computed from in their own element type."""
    found = {value.name for value in graph.output}
    for node in reversed(graph.node):
        if node.op_type in _KEEPING and not found.isdisjoint(node.output):
            found.update(node.input[_KEEPING[node.op_type]])
    return found


def _join_equal(node: NodeProto, known: dict[str, TensorUse], made: dict[tuple[object, ...], str], outputs: Container[str]) -> None:
    """Record the results of a node. They have the names of an equal node's results, if there is one before it."""
    if node.op_type == "Constant":
        for attribute in node.attribute:
            if attribute.name == "value":
                known[node.output[0]] = _read_initializer(node.output[0], attribute.t)
        return
    attributes = tuple(sorted(attribute.SerializeToString() for attribute in node.attribute))
    inputs = tuple(known[name].name if name in known else name for name in node.input)
    uses = [known[name] for name in node.input if name in known]
    is_size = node.op_type in ("Shape", "Size") or (len(uses) == len(node.input) and all(use.is_size or use.is_stored for use in uses))
    for index, output in enumerate(node.output):
        name = made.setdefault((node.op_type, attributes, inputs, index), output)
        use = known.get(output, TensorUse(None, None))
        place = is_size or _PLACES.get(node.op_type) == index
        known[output] = TensorUse(use.dtype, use.rank, use.is_stored, name, use.extremes, output in outputs, place)


def _read_tensor(value: ValueInfoProto, stored: StoredTensor | None, is_output: bool) -> TensorUse:
    tensor = value.type.tensor_type
    dtype = find_element_name(tensor.elem_type)
    extremes = _find_extremes(stored.read()) if stored is not None and dtype in _WIDE else ()
    rank = len(tensor.shape.dim) if tensor.HasField("shape") else None
    return TensorUse(dtype, rank, stored is not None, value.name, extremes, is_output)


def _read_initializer(name: str, tensor: TensorProto) -> TensorUse:
    dtype = find_element_name(tensor.data_type)
    is_read = dtype in _WIDE and not external_data_helper.uses_external_data(tensor)
    return TensorUse(dtype, len(tensor.dims), True, name, _find_extremes(numpy_helper.to_array(tensor)) if is_read else ())


def _find_extremes(array: Array) -> tuple[int, ...]:
    return (int(array.min()), int(array.max())) if array.size else ()


def _read_node(node: NodeProto, known: Mapping[str, TensorUse]) -> NodeUse:
    attributes = {a.name: helper.get_attribute_value(a) for a in node.attribute}
    return NodeUse(node.op_type, node.name, attributes, tuple(map(known.get, node.input)), tuple(map(known.get, node.output)))
