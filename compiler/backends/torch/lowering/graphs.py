"""Graphs that the passes of this package may change.

In: the graphs of a program. Out: copies of the graphs and their nodes, on the same values. Always: a pass keeps what graph.py promises,
except that operators of this package have no parameters that the spec knows of.
"""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy

from netc.dsl.record import replace

from ....ir.graph import CallNode, Graph, Node, Parts, Value, flat, graphs


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


def substitute(graph: Graph, instead: Mapping[int, Value]) -> None:
    """Replaces values, by their ids, wherever they are used."""
    if instead:
        for node in graph.nodes:
            replace_inputs(node, instead)
        graph.outputs = [instead.get(id(v), v) for v in graph.outputs]
        if graph.training_outputs is not None:
            graph.training_outputs = [instead.get(id(v), v) for v in graph.training_outputs]
        graph.tails = tuple(replace(tail, parts=_replaced(tail.parts, instead)) for tail in graph.tails)


def replace_inputs(node: Node, instead: Mapping[int, Value]) -> None:
    """Replaces what a node takes. A part of a tuple with a value that is replaced is passed one by one."""
    if not any(id(v) in instead for v in node.inputs):
        return
    node.inputs = tuple(instead.get(id(v), v) for v in node.inputs)
    if isinstance(node, CallNode):
        node.tuples = tuple(_replaced(parts, instead) for parts in node.tuples)
    else:
        node.parts = _replaced(node.parts, instead)


def _replaced(parts: Parts, instead: Mapping[int, Value]) -> Parts:
    found: list[Parts] = []
    for part in parts:
        values = flat((part,))
        found.append(tuple(instead.get(id(v), v) for v in values) if any(id(v) in instead for v in values) else (part,))
    return tuple(one for several in found for one in several)


def labels(graph: Graph) -> set[str]:
    """The labels that new nodes must not have."""
    own = {node.label for node in graph.nodes} | {module.label for module in (*graph.declares, *graph.modules)}
    loops = (node.graph for node in graph.nodes if isinstance(node, CallNode) and node.scan is not None)
    return own.union(*(labels(loop) for loop in loops))
