"""Gradients, and the tensors by which a model differentiates: from its origin on, such a tensor requires a gradient.

In: the graphs of a program. Out: the same graphs with a `RequireGradient` after each tensor that is marked as `differentiated`, and all its
uses after that; and with one `Gradients` for all gradients of one tensor, because a framework computes them in one backward pass. Always:
the framework's definitions say what it means to require a gradient.
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.graph import Graph, Node, OpNode
from ....ir.graph_labels import collect_labels
from ....ir.graph_values import Value
from ....ir.replace_values import replace_values
from ....ops.differentiation import Gradient
from ....ops.element_types import FLOATS
from ....ops.kinds import FLAG
from ....ops.operand import Input, Inputs
from ....ops.operator import Arg
from ..identifiers import make_unique
from .lowered_operators import LoweredOperator


class RequireGradient(LoweredOperator):
    """The tensor, of which gradients can be computed."""

    name = "require_gradient"
    x = Input(FLOATS)


class Gradients(LoweredOperator):
    """The gradients of the sum of a tensor by several tensors. `may_be_constant`: the tensor is a gradient itself, which does not depend on
    its tensor if the function is linear."""

    name = "gradient"
    y = Input(FLOATS)
    xs = Inputs(FLOATS)
    may_be_constant = Arg(FLAG, default=False)


def merge_gradients(order: Sequence[Graph]) -> None:
    """Merge the gradients of each tensor where the first of them is: a tensor is computed after all tensors that it depends on."""
    for graph in order:
        guarded = {label for choice in graph.choices for label in choice.labels}
        groups: dict[int, list[OpNode]] = {}
        for node in graph.nodes:
            if isinstance(node, OpNode) and isinstance(node.op, Gradient) and node.label not in guarded:
                groups.setdefault(id(node.inputs[0]), []).append(node)
        of_gradients = _find_values_of_gradients(graph)
        for first, *others in groups.values():
            may_be_constant = id(first.inputs[0]) in of_gradients
            if not (others or may_be_constant):
                continue
            by_tensor = {id(node.inputs[1]): node for node in (first, *others)}
            distinct = list(by_tensor.values())
            inputs = (first.inputs[0], *(node.inputs[1] for node in distinct))
            merged = OpNode(
                Gradients(may_be_constant=may_be_constant), inputs, tuple(node.outputs[0] for node in distinct), first.label, first.span, ()
            )
            merged.frame = first.frame
            replace_values(graph, {id(n.outputs[0]): by_tensor[id(n.inputs[1])].outputs[0] for n in (first, *others)})
            graph.nodes = [merged if node is first else node for node in graph.nodes if all(node is not other for other in others)]


def _find_values_of_gradients(graph: Graph) -> set[int]:
    """Find the values that are computed from a gradient, by their ids."""
    found: set[int] = set()
    for node in graph.nodes:
        if any(id(value) in found for value in node.inputs) or (isinstance(node, OpNode) and isinstance(node.op, Gradient)):
            found.update(id(value) for value in node.outputs)
    return found


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
