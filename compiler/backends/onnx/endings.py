"""Kernels of ONNX Runtime that end the process, rather than raise an error, on an input without elements.

In: a model, and the shapes of its inputs. Out: whether one of these operators would get such an input. Always: what the shapes inside the
model are is what ONNX's own inference finds; a shape that it does not find is taken for one with elements.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from onnx import GraphProto, ModelProto, NodeProto, inliner, shape_inference

KERNEL = "GRU"
"""Up to ONNX Runtime 1.31 at least."""


def ends(skeleton: ModelProto, whole: Callable[[], ModelProto], shapes: Mapping[str, tuple[int, ...]]) -> bool:
    """`skeleton` has the nodes of the model, `whole` makes one with its initialisers too, or with their types."""
    if all(0 not in shape for shape in shapes.values()) or not any(node.op_type == KERNEL for node in _nodes(skeleton)):
        return False
    model = ModelProto()
    model.CopyFrom(inliner.inline_local_functions(whole()))
    for given in model.graph.input:
        for axis, size in zip(given.type.tensor_type.shape.dim, shapes.get(given.name, ()), strict=False):
            axis.dim_value = size
    del model.graph.value_info[:]
    for result in model.graph.output:
        result.type.tensor_type.ClearField("shape")
    return _reaches(shape_inference.infer_shapes(model, data_prop=True).graph)


def _nodes(model: ModelProto) -> Iterator[NodeProto]:
    """Those of functions and of the bodies of others too."""
    stack = [*model.graph.node, *(node for function in model.functions for node in function.node)]
    while stack:
        node = stack.pop()
        yield node
        for body in _bodies(node):
            stack += body.node


def _bodies(node: NodeProto) -> Iterable[GraphProto]:
    return [graph for attribute in node.attribute for graph in (attribute.g, *attribute.graphs)]


def _reaches(graph: GraphProto) -> bool:
    empty = {
        value.name
        for value in (*graph.input, *graph.value_info)
        if any(axis.HasField("dim_value") and axis.dim_value == 0 for axis in value.type.tensor_type.shape.dim)
    }
    return any((node.op_type == KERNEL and node.input[0] in empty) or any(map(_reaches, _bodies(node))) for node in graph.node)
