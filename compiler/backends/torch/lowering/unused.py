"""Dropout that never drops anything is left out.

In: the graphs of a program. Out: the same without stages whose probability is 0 wherever that part of the spec is used. Always: the keys
of the state dict stay: a stage in a row of numbered ones, which the next has its number from, is kept.
"""

from __future__ import annotations

from collections.abc import Iterable

from ....ir.graph import Graph, Node, OpNode, Value
from ....ops.regularization import AlphaDropout, ChannelDropout, Dropout, DropPath
from .graphs import substitute

_DROPPING = (AlphaDropout, ChannelDropout, Dropout, DropPath)


def remove_unused(order: Iterable[Graph]) -> None:
    dropping = [(graph, at, node) for graph in order for at, node in enumerate(graph.nodes) if isinstance(node, OpNode) and _drops(node)]
    active = {_place(node) for _, _, node in dropping if node.op.args["p"] != 0}
    removable: dict[int, tuple[Graph, list[OpNode]]] = {}
    for graph, at, node in dropping:
        if _place(node) not in active and _is_removable(graph, at, node):
            removable.setdefault(id(graph), (graph, []))[1].append(node)
    for graph, nodes in removable.values():
        _remove(graph, nodes)


def _drops(node: OpNode) -> bool:
    return isinstance(node.op, _DROPPING)


def _place(node: Node) -> tuple[int, int, int]:
    """The stage of the spec, which may be used with several probabilities: then one class has them all."""
    return id(node.span.file), node.span.start, node.span.end


def _is_removable(graph: Graph, at: int, node: OpNode) -> bool:
    return node.shared is None and not any(later.label.isdigit() for later in graph.nodes[at + 1 :])


def _remove(graph: Graph, nodes: list[OpNode]) -> None:
    instead: dict[int, Value] = {}
    for node in nodes:
        taken = node.inputs[0]
        instead[id(node.outputs[0])] = instead.get(id(taken), taken)
    given = {id(v) for v in graph.inputs}
    if any(id(instead[id(v)]) in given for v in graph.outputs if id(v) in instead):
        return  # a body that does nothing else stays one that does something
    gone = {id(node) for node in nodes}
    graph.nodes = [node for node in graph.nodes if id(node) not in gone]
    substitute(graph, instead)
