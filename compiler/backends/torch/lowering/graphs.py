"""Graphs that the passes of this package may change.

In: the graphs of a program. Out: copies of the graphs and their nodes, on the same values. Always: a pass keeps what graph.py promises,
except that operators of this package have no parameters that the spec knows of.
"""

from __future__ import annotations

from copy import copy

from ....ir.graph import CallNode, Graph
from ....ir.walk import graphs


def copied(main: Graph) -> list[Graph]:
    """Copies of all graphs, called ones before their callers, so that the main one is the last."""
    made: dict[int, Graph] = {}
    for graph in graphs(main):
        twin = made[id(graph)] = copy(graph)
        twin.inputs, twin.outputs = list(graph.inputs), list(graph.outputs)
        twin.nodes = [copy(node) for node in graph.nodes]
        for node in twin.nodes:
            if isinstance(node, CallNode):
                node.graph = made[id(node.graph)]
    for twin in made.values():
        twin.around = twin.around and made.get(id(twin.around), twin.around)
    return list(made.values())


def labels(graph: Graph) -> set[str]:
    """The labels that new nodes must not have."""
    own = {node.label for node in graph.nodes} | {module.label for module in (*graph.declares, *graph.modules)}
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return own.union(*(labels(loop) for loop in loops))
