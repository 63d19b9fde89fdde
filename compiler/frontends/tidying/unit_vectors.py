"""Vectors that are divided by their lengths, and tensors that are expanded for an operator which does so itself.

In: a graph and one of its nodes. Out: the graph, changed in place. Always: see patterns.py.
"""

from __future__ import annotations

from ...ir.graph import Node, OpNode
from ...ir.values import Value
from ...ops.arithmetic import Clamp, Div
from ...ops.reduction import Norm, Normalize
from ...ops.shape import Expand
from .view import GraphView


def normalize(view: GraphView, node: Node) -> None:
    """`x / clamp(norm(x), eps)`."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Div) or len(node.inputs) != 2:
        return
    x, length = node.inputs
    least = view.made_by(_unexpanded(view, length), Clamp)
    norm = view.made_by(least.inputs[0], Norm) if least is not None else None
    if norm is None or least is None or norm.inputs != (x,) or not norm.op.args["keepdim"] or least.op.args["max"] is not None:
        return
    axes, eps = norm.op.args["axis"], least.op.args["min"]
    if axes is None or len(axes) != 1 or not isinstance(eps, float):
        return
    view.put(node, Normalize(p=norm.op.args["p"], axis=axes[0], eps=eps), (x,))


def broadcast(view: GraphView, node: Node) -> None:
    """An operator on two tensors, one of which was expanded to the shape of the other."""
    if isinstance(node, OpNode) and node.op.symbol and len(node.inputs) == 2:
        given = tuple(_unexpanded(view, value) for value in node.inputs)
        if given != node.inputs:
            view.put(node, node.op, given, node.label)


def _unexpanded(view: GraphView, value: Value) -> Value:
    expand = view.made_by(value, Expand)
    return value if expand is None else expand.inputs[0]
