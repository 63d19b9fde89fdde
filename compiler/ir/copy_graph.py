"""Copy graphs, for passes that change them in place.

In: the main graph of a program. Out: copies of its graphs and their nodes, which share the program's values. Always: the program itself
does not change.

    >>> import netc
    >>> main = netc.compile("block b { exp -> relu }; input 3 -> b").program.main
    >>> copies = copy_graphs(main)
    >>> [graph.name for graph in copies], copies[-1] is main, copies[-1].outputs[0] is main.outputs[0]
    (['b', 'net'], False, True)
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy

from .graph import CallNode, Graph
from .walk import collect_graphs


def copy_graphs(main: Graph, kept: Sequence[Graph] = ()) -> list[Graph]:
    """Copy all graphs except the graphs in `kept`. Called graphs come before their callers, so the main graph is the last."""
    copies: dict[int, Graph] = {}
    excluded = {id(graph) for graph in kept}
    for graph in collect_graphs(main):
        if id(graph) in excluded:
            continue
        graph_copy = copies[id(graph)] = copy(graph)
        graph_copy.inputs, graph_copy.outputs = list(graph.inputs), list(graph.outputs)
        graph_copy.nodes = [copy(node) for node in graph.nodes]
        for node in graph_copy.nodes:
            if isinstance(node, CallNode):
                # Called graphs come first, so the copy exists unless the graph is kept.
                node.graph = copies.get(id(node.graph), node.graph)
    # The graph around a body comes after it in this order, so the links outwards need a second pass.
    for graph_copy in copies.values():
        graph_copy.around = graph_copy.around and copies.get(id(graph_copy.around), graph_copy.around)
    return list(copies.values())
