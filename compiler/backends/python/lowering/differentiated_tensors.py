"""Tensors by which a model differentiates: from its origin on, such a tensor requires a gradient.

In: the graphs of a program. Out: the same graphs with a `RequireGradient` after each tensor that is marked as `differentiated`, and all its
uses after that. Always: the framework's definitions say what it means to require a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.graph import Graph, Node, OpNode
from ....ir.graph_values import Value
from ....ir.replace_values import replace_values
from ....ops.element_types import FLOATS
from ....ops.operand import Input
from ..identifiers import make_unique
from .graph_labels import collect_labels
from .lowered_operators import LoweredOperator


class RequireGradient(LoweredOperator):
    """The tensor, of which gradients can be computed."""

    name = "require_gradient"
    x = Input(FLOATS)


def require_gradients(order: Sequence[Graph]) -> None:
    """Insert the operators into graphs that have differentiated tensors."""
    for graph in order:
        marked = {id(v): v for v in (*graph.inputs, *(v for node in graph.nodes for v in node.outputs)) if v.differentiated}
        if not marked:
            continue
        labels = collect_labels(graph)
        tracked = {key: Value(v.type, v.span, v.name) for key, v in marked.items()}
        replace_values(graph, tracked)
        nodes = list[Node]()
        for values, node in ((graph.inputs, None), *((node.outputs, node) for node in graph.nodes)):
            nodes += [] if node is None else [node]
            for value in values:
                if id(value) in tracked:
                    label = make_unique(RequireGradient.name, labels)
                    labels.add(label)
                    nodes.append(OpNode(RequireGradient(), (value,), (tracked[id(value)],), label, value.span, ()))
        graph.nodes = nodes
