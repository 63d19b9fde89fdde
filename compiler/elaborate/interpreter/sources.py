"""The operators that made the inputs of a stage, for warnings.

In: values of a graph. Out: the operator of each, past those that only move its elements or convert them, and into blocks and groups.
Always: what is an input of the graph, or comes out of a loop at run time, has none.
"""

from __future__ import annotations

from ...ir.graph import CallNode, Graph, Node
from ...ir.values import Value
from ...ops.base import Operator


def source_of(value: Value, graph: Graph) -> Operator | None:
    """The operator that computed the numbers of the value."""
    from ...ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze

    moves = (Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze)
    while (node := _maker(value, graph)) is not None:
        if isinstance(node, CallNode):
            if node.scan is not None:
                return None
            value, graph = node.graph.outputs[_position(value, node)], node.graph
        elif isinstance(node.op, moves):
            value = node.inputs[0]
        else:
            return node.op
    return None


def _maker(value: Value, graph: Graph) -> Node | None:
    """The last nodes are the nearest."""
    return next((node for node in reversed(graph.nodes) if any(made is value for made in node.outputs)), None)


def _position(value: Value, node: CallNode) -> int:
    return next(index for index, made in enumerate(node.outputs) if made is value)
