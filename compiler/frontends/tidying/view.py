"""A graph as patterns look at it: from a tensor to the operator that made it, and back to numbers.

In: a graph. Out: makers, uses and factors of its tensors. Always: what a pattern puts in the place of an operator has the same result, as
the same `Value`, so that whatever reads it stays as it is.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ...dims import Facts, SymDim
from ...ir.graph import Graph, Node, OpNode
from ...ir.graph_values import Value
from ...ops.arithmetic import Add, Mul
from ...ops.operator import Operator, OperatorError


class GraphView:
    """`of` makes the operator node of a tensor, None for an input or the result of a call."""

    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.graph, self.facts = graph, facts
        self.makers: dict[int, Node] = {id(value): node for node in graph.nodes for value in node.outputs}

    def maker(self, value: Value) -> OpNode | None:
        """The operator whose only result the tensor is."""
        node = self.makers.get(id(value))
        return node if isinstance(node, OpNode) and len(node.outputs) == 1 else None

    def uses(self, value: Value) -> int:
        """The number of times that it is read."""
        read = [*(v for node in self.graph.nodes for v in node.inputs), *self.graph.outputs, *(self.graph.training_outputs or ())]
        return sum(v is value for v in read)

    def made_by(self, value: Value, *kinds: type[Operator]) -> OpNode | None:
        """The operator that made the tensor, if it is one of these."""
        node = self.maker(value)
        return node if node is not None and isinstance(node.op, kinds) else None

    def factors(self, value: Value) -> tuple[float, list[Value]]:
        """A product as its number and its tensors."""
        node = self.made_by(value, Mul)
        scalar = None if node is None else _scalar(node.op, 1.0)
        if node is None or scalar is None:
            return 1.0, [value]
        number, tensors = scalar, list[Value]()
        for inner in node.inputs:
            factor, found = self.factors(inner)
            number, tensors = number * factor, [*tensors, *found]
        return number, tensors

    def shifted(self, value: Value) -> tuple[Value, float] | None:
        """A tensor and the number that is added to it."""
        node = self.made_by(value, Add)
        number = None if node is None or len(node.inputs) != 1 else _scalar(node.op, 0.0)
        return None if node is None or number is None else (node.inputs[0], number)

    def replace(self, node: Node, value: Value) -> None:
        """Another tensor where the only result of a node is read. A result of the graph stays one of its own."""
        (result,) = node.outputs
        if any(one is result for one in (*self.graph.outputs, *(self.graph.training_outputs or ()))) and id(value) not in self.makers:
            return
        for user in self.graph.nodes:
            if any(one is result for one in user.inputs):
                user.inputs = tuple(value if one is result else one for one in user.inputs)
        self.graph.outputs = [value if one is result else one for one in self.graph.outputs]
        if self.graph.training_outputs is not None:
            self.graph.training_outputs = [value if one is result else one for one in self.graph.training_outputs]

    def put(self, old: Node, op: Operator, inputs: tuple[Value, ...], label: str = "", *, frozen: bool = False) -> bool:
        """The operator in the place of a node with one result; whether it gives a tensor of the same type."""
        (result,) = old.outputs
        given = op.bind(tuple(value.type for value in inputs), self.facts)
        try:
            made = op.infer(given)
        except OperatorError:
            return False
        if made[0] != result.type:
            return False
        node = OpNode(op, inputs, (result,), label, old.span, op.parameters(given), frozen=frozen)
        self.graph.nodes[self.graph.nodes.index(old)] = node
        self.makers[id(result)] = node
        return True


def _scalar(op: Operator, otherwise: float) -> float | None:
    """The number of an operator on a tensor and a number, `otherwise` without one; None for a size that is not known."""
    if not op.scalars:
        return otherwise
    return None if isinstance(op.scalars[0], SymDim) else float(op.scalars[0])


def pairs(values: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
    """Both orders of two tensors."""
    if len(values) == 2:
        yield values[0], values[1]
        yield values[1], values[0]
