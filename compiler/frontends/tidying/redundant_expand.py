"""Tensors that are expanded for an operator which does so itself.

In: a graph and one of its nodes. Out: the graph, changed in place. Always: see torch_patterns.py.
"""

from __future__ import annotations

from ...ir.graph import Node, OpNode
from ...ir.graph_values import Value
from ...ops.shape import Expand
from .view import GraphView


def broadcast(view: GraphView, node: Node) -> None:
    """An operator on two tensors, one of which was expanded to the shape of the other."""
    if isinstance(node, OpNode) and node.op.symbol and len(node.inputs) == 2:
        given = tuple(_unexpanded(view, value) for value in node.inputs)
        if given != node.inputs:
            view.put(node, node.op, given, node.label)


def _unexpanded(view: GraphView, value: Value) -> Value:
    expand = view.made_by(value, Expand)
    return value if expand is None else expand.inputs[0]
