"""Inlines modules that consist of one operator: an RMSNorm written by hand becomes the stage `rms_norm as norm`.

In: the main graph of a program. Out: the same graph with operators in place of such calls. Always: keys stay. The only operator of the
module must have no label of its own, so its parameters are directly below the label of the call.
"""

from __future__ import annotations

from ...ir.graph import CallNode, Graph, Node, OpNode
from ...ir.walk import collect_graphs


def dissolve_calls(main: Graph) -> None:
    """Replace the calls of modules with one operator, the innermost first."""
    for graph in collect_graphs(main):
        graph.nodes = [_find_operator(node) for node in graph.nodes]


def _find_operator(node: Node) -> Node:
    """Return the operator that a call can be, or the node itself."""
    if not isinstance(node, CallNode) or node.scan is not None or node.graph.modules or node.graph.kind != "block":
        return node
    match node.graph.nodes:
        case [OpNode() as only] if only.inputs == tuple(node.graph.inputs) and list(only.outputs) == node.graph.outputs:
            # With a label of its own, the operator's keys are one level below the call's.
            if only.label or only.tie is not None or only.shared is not None:
                return node
            frozen = node.frozen or only.frozen
            return OpNode(only.op, node.inputs, node.outputs, node.label, node.span, only.specs, None, node.shared, frozen=frozen)
    return node
