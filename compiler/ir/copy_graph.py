"""Copies graphs, for passes that change them.

In: the main graph of a program. Out: copies of its graphs and their nodes, on the same values. Always: the program itself stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from .graph import CallNode, Graph
from .walk import graphs


def copy_graphs(main: Graph, kept: Sequence[Graph] = ()) -> list[Graph]:
    """Copies of all graphs but those in `kept`, called ones before their callers, so that the main one is the last."""
    made: dict[int, Graph] = {}
    left = {id(graph) for graph in kept}
    for graph in graphs(main):
        if id(graph) in left:
            continue
        twin = made[id(graph)] = copy(graph)
        twin.inputs, twin.outputs = list(graph.inputs), list(graph.outputs)
        twin.nodes = [copy(node) for node in graph.nodes]
        for node in twin.nodes:
            if isinstance(node, CallNode):
                node.graph = made.get(id(node.graph), node.graph)
    for twin in made.values():
        twin.around = twin.around and made.get(id(twin.around), twin.around)
    return list(made.values())
