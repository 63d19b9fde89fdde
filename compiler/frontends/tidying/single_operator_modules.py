"""Modules that became one operator: the operator is written where the module was called.

In: the main graph of a program. Out: the same graph with operators in the place of calls. Always: keys stay: a graph whose parameters are
directly below the name of its call is one whose only operator has no label.
"""

from __future__ import annotations

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.walk import collect_graphs


def dissolve_calls(main: Graph) -> None:
    """Replaces the calls, the innermost first."""
    for graph in collect_graphs(main):
        graph.nodes = [_find_operator(node) for node in graph.nodes]


def _find_operator(node: Node) -> Node:
    if not isinstance(node, CallNode) or node.scan is not None or node.graph.modules or node.graph.kind != "block":
        return node
    match node.graph.nodes:
        case [OpNode() as only] if only.inputs == tuple(node.graph.inputs) and list(only.outputs) == node.graph.outputs:
            if only.label or only.tie is not None or only.shared is not None:
                return node
            frozen = node.frozen or only.frozen
            return OpNode(only.op, node.inputs, node.outputs, node.label, node.span, only.specs, None, node.shared, frozen=frozen)
    return node
