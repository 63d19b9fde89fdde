"""Graphs that the passes of this package may change.

In: the graphs of a program. Out: copies of the graphs and their nodes, on the same values. Always: a pass keeps what graph.py promises,
except that operators of this package have no parameters that the spec knows of.
"""

from __future__ import annotations

from collections.abc import Mapping

from ....ir.graph import CallNode, Graph, Node, OpNode, Value, graphs


def copied(main: Graph) -> list[Graph]:
    """Copies of all graphs, called ones before their callers, so that the main one is the last."""
    made: dict[int, Graph] = {}
    for graph in graphs(main):
        copy = made[id(graph)] = Graph(graph.name, graph.kind, graph.span, graph.arguments)
        copy.inputs, copy.outputs, copy.output_names = list(graph.inputs), list(graph.outputs), graph.output_names
        copy.modules, copy.declares, copy.captures, copy.size = graph.modules, graph.declares, graph.captures, graph.size
        copy.nodes = [_copy(node, made) for node in graph.nodes]
    return list(made.values())


def _copy(node: Node, made: Mapping[int, Graph]) -> Node:
    if isinstance(node, OpNode):
        return OpNode(node.op, node.inputs, node.outputs, node.label, node.span, node.specs, node.tie, node.shared)
    return CallNode(made[id(node.graph)], node.inputs, node.outputs, node.label, node.span, node.modules, node.shared)


def substitute(graph: Graph, instead: Mapping[int, Value]) -> None:
    """Replaces values, by their ids, wherever they are used."""
    if instead:
        for node in graph.nodes:
            node.inputs = tuple(instead.get(id(v), v) for v in node.inputs)
        graph.outputs = [instead.get(id(v), v) for v in graph.outputs]


def labels(graph: Graph) -> set[str]:
    """The labels that new nodes must not have."""
    return {node.label for node in graph.nodes} | {module.label for module in (*graph.declares, *graph.modules)}
