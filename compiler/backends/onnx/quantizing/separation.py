"""Copies weights that several nodes share, so that the quantizer can change each product's weight alone.

In: a model whose initializers are not read yet. Out: the same function, in which no product uses a transposed weight that another node
uses too. Always: no tensor is read. The copies take `copied` bytes, only while the model is quantized.

ONNX Runtime's quantizer transposes the weight of a Gemm in place, even if another node uses it, and does not treat the result of a
Transpose as constant.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

from onnx import GraphProto, NodeProto

from netc.dsl.record import Record

from ....types.numpy_types import Array
from ....weights.chunked_arrays import make_contiguous
from ....weights.lazy_tensors import StoredTensor
from ..graph_and_tensors import GraphAndTensors
from .products import iterate_bodies


class SeparatedModel(Record):
    """The model, and the number of bytes by which the copies make it larger."""

    graph: GraphAndTensors
    copied: int


def separate_weights(graph: GraphAndTensors) -> SeparatedModel:
    """Return the model with copies in place of shared transposed weights."""
    proto = type(graph.proto)()
    proto.CopyFrom(graph.proto)
    tensors = dict(graph.tensors)
    takers = Counter(name for node in proto.graph.node for name in node.input)
    transposes = {node.output[0]: node for node in proto.graph.node if _is_transposed_weight(node, tensors)}
    for node in proto.graph.node:
        if node.op_type == "MatMul" and node.input[1] in transposes:
            node.input[1] = _add_transposed_copy(transposes[node.input[1]].input[0], tensors)
        elif node.op_type == "Gemm" and takers[node.input[1]] > 1 and node.input[1] in tensors and _read_int_attribute(node, "transB"):
            node.input[1] = _add_transposed_copy(node.input[1], tensors)
            kept = [attribute for attribute in node.attribute if attribute.name != "transB"]
            del node.attribute[:]
            node.attribute.extend(kept)
    _drop_unused_transposes(proto.graph.node, {output.name for output in proto.graph.output}, set(transposes))
    # ONNX Runtime prints a warning for a weight of which all uses have copies
    used = {output.name for output in proto.graph.output} | set(_iterate_used_names(proto.graph))
    tensors = {name: stored for name, stored in tensors.items() if name in used}
    copied = sum(tensors[name].nbytes for name in tensors.keys() - graph.tensors.keys())
    replaced = sum(graph.tensors[name].nbytes for name in graph.tensors.keys() - tensors.keys())
    return SeparatedModel(GraphAndTensors(proto, tensors), copied - replaced)


def _iterate_used_names(graph: GraphProto) -> Iterator[str]:
    """Yield the inputs of all nodes, also in loops and branches."""
    for node in graph.node:
        yield from node.input
        for body in iterate_bodies(node):
            yield from _iterate_used_names(body)
            yield from (output.name for output in body.output)


def _is_transposed_weight(node: NodeProto, tensors: Mapping[str, StoredTensor]) -> bool:
    return node.op_type == "Transpose" and node.input[0] in tensors and len(tensors[node.input[0]].shape) == 2


def _add_transposed_copy(name: str, tensors: dict[str, StoredTensor]) -> str:
    """Add a transposed copy and return its name."""
    stored = tensors[name]
    copy = f"{name}/Copy"

    def read() -> Array:
        return make_contiguous(stored.read().T)

    tensors[copy] = StoredTensor(stored.shape[::-1], stored.kind, read)
    return copy


def _read_int_attribute(node: NodeProto, name: str) -> int:
    return next((attribute.i for attribute in node.attribute if attribute.name == name), 0)


def _drop_unused_transposes(nodes: list[NodeProto], outputs: set[str], transposed: set[str]) -> None:
    used = outputs | {name for node in nodes for name in node.input}
    for node in [n for n in nodes if n.output[0] in transposed and n.output[0] not in used]:
        nodes.remove(node)
