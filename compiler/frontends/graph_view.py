"""A view of a graph for pattern matching: from a tensor to the operator that made it, and to its uses.

In: a graph. Out: the makers and the uses of its tensors. Always: a replaced operator keeps its result, as the same `Value`, so readers of
the result stay as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..dims import Facts
from ..ir.graph import Graph, Node, OpNode
from ..ir.graph_values import Value
from ..ops.operator import Operator, OperatorError


class GraphView:
    """Operators of one graph. A pattern looks at them and replaces them."""

    def __init__(self, graph: Graph, facts: Facts) -> None:
        self.graph, self.facts = graph, facts
        self.makers: dict[int, Node] = {id(value): node for node in graph.nodes for value in node.outputs}

    def find_maker(self, value: Value) -> OpNode | None:
        """Return the operator whose first result the tensor is, or None for an input or the result of a call."""
        node = self.makers.get(id(value))
        # Further results, such as the indices of a max pool, are not what a pattern means.
        return node if isinstance(node, OpNode) and node.outputs[0] is value else None

    def count_uses(self, value: Value) -> int:
        """Count how often a tensor is read, by nodes and as an output."""
        read = [*(v for node in self.graph.nodes for v in node.inputs), *self.graph.outputs, *(self.graph.training_outputs or ())]
        return sum(v is value for v in read)

    def match_maker(self, value: Value, *kinds: type[Operator]) -> OpNode | None:
        """Return the operator that made the tensor, if it is one of these kinds."""
        node = self.find_maker(value)
        return node if node is not None and isinstance(node.op, kinds) else None

    def replace_uses(self, node: Node, value: Value) -> bool:
        """Replace the only result of a node by another tensor wherever it is read. Returns whether it did.

        An output of the graph must be made by a node of it, so it is not replaced by an input.
        """
        (result,) = node.outputs
        if (
            any(value_read is result for value_read in (*self.graph.outputs, *(self.graph.training_outputs or ())))
            and id(value) not in self.makers
        ):
            return False
        for user in self.graph.nodes:
            # A new tuple only where something changes: most nodes of a large graph do not read the result.
            if any(value_read is result for value_read in user.inputs):
                user.inputs = tuple(value if value_read is result else value_read for value_read in user.inputs)
        self.graph.outputs = [value if value_read is result else value_read for value_read in self.graph.outputs]
        if self.graph.training_outputs is not None:
            self.graph.training_outputs = [value if value_read is result else value_read for value_read in self.graph.training_outputs]
        return True

    def replace_operator(self, node: OpNode, op: Operator, inputs: tuple[Value, ...], label: str = "", *, frozen: bool = False) -> bool:
        """Replace the operator of a node. Returns whether it did: the new operator must give a result of the same type.

        Only the first result of the node may be read. The operator's further results replace the others.
        """
        result, *others = node.outputs
        bound_inputs = op.bind_inputs(tuple(value.type for value in inputs), self.facts)
        try:
            types = op.check_and_infer(bound_inputs)
        except OperatorError:
            return False
        # A pattern may not change a type: the readers were checked with the old one.
        if types[0] != result.type or any(self.count_uses(other) for other in others):
            return False
        node.op, node.inputs, node.label, node.frozen, node.specs = op, inputs, label, frozen, op.parameters(bound_inputs)
        node.outputs = (result, *(Value(type_, node.span) for type_ in types[1:]))
        return True

    def insert_before(self, node: OpNode, before: Node) -> None:
        """Insert a node in front of another one."""
        self.graph.nodes.insert(self.graph.nodes.index(before), node)
        self.makers.update((id(value), node) for value in node.outputs)


def iterate_orders(values: Sequence[Value]) -> Iterator[tuple[Value, Value]]:
    """Yield both orders of two tensors: a pattern such as `x * weight` may be written either way."""
    if len(values) == 2:
        yield values[0], values[1]
        yield values[1], values[0]
