"""Finds the operators that computed the inputs of a stage, for warnings such as "found the result of `softmax`".

`source_of` takes a value, and the frame of the graph that it is in. It returns the node that computed its numbers, past operators that only
move elements or convert them, and into blocks and groups: for `x -> softmax -> squeeze 1`, the node of `softmax`. An input of the network,
and the result of a loop at run time, has none. A tensor that a graph captures is looked for in the graph around it, where the stage is
checked first.

    >>> import netc
    >>> text = "x = input 8 -> softmax axis=1 -> unsqueeze 2 -> squeeze 2; y = input [] int64; (x, y) -> cross_entropy"
    >>> (warning,) = netc.compile(text).diagnostics
    >>> warning.message
    '`cross_entropy` takes scores, of which it computes `log_softmax` itself, found the result of `softmax`'
"""

from __future__ import annotations

from ...ir.graph import CallNode, Graph, Node, OpNode, has_operator
from ...ir.graph_values import Value
from ..scopes.scope import GraphFrame


def source_of(value: Value, frame: GraphFrame) -> OpNode | None:
    """The node that computed the numbers of the value."""
    from ...ops.shape import Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze

    moves = (Cast, Expand, Flatten, Permute, Reshape, Squeeze, Transpose, Unflatten, Unsqueeze)
    graph = frame.graph
    while True:
        node = _defining_node(value, graph)
        if node is None and graph is frame.graph and id(value) in frame.outer and frame.parent is not None:
            value, frame = frame.outer[id(value)], frame.parent
            graph = frame.graph
        elif isinstance(node, CallNode):
            # The result of a step is one slice of the result of the loop.
            if node.scan is not None:
                return None
            value, graph = node.graph.outputs[_output_index(value, node)], node.graph
        elif has_operator(node, moves):
            value = node.inputs[0]
        else:
            return node


def _defining_node(value: Value, graph: Graph) -> Node | None:
    """The node that made a value. The graph keeps an index, to which the nodes that were added since are added first."""
    known, count = graph.makers
    for node in graph.nodes[count:]:
        known.update((id(output), node) for output in node.outputs)
    graph.makers = (known, len(graph.nodes))
    return known.get(id(value))


def _output_index(value: Value, node: CallNode) -> int:
    return next(index for index, output in enumerate(node.outputs) if output is value)
