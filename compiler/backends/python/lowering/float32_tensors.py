"""Finds which tensors have the element type of the model, and which stay float32 whatever that type is.

In: the graphs of a program. Out: by value, whether it is *fixed*: float32 in the spec, and still float32 after the model was converted to
bfloat16. Always: the inputs of the model, its parameters and buffers, and all that is computed from any of them, have the type of the
model. A tensor made only of integers, booleans or sizes is fixed, until it meets a tensor of the model: in `x + cast(i, float32)`,
`cast` is fixed and the sum is not.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from netc.dsl.record import Record

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import Value
from ....ops.constants import TableOperator
from ....ops.parameter_of import ParameterOf
from ....types.tensor_types import FLOAT32


class CastDecisions:
    """The decisions made so far: the ids of nodes that take the type of the model, the ids of tables that keep float32, and the inputs of
    graphs, by id and number, that their callers convert."""

    def __init__(self) -> None:
        self.following: set[int] = set()
        self.exact: set[int] = set()
        self.converted: set[tuple[int, int]] = set()

    def count_decisions(self) -> int:
        return len(self.following) + len(self.exact) + len(self.converted)


class CastNeed(Record):
    """A fixed tensor that a node takes where it needs one of the type of the model."""

    graph: Graph
    node: Node
    value: Value


class ElementTypes:
    """The fixed values, by their ids."""

    def __init__(self, order: Sequence[Graph], decisions: CastDecisions) -> None:
        self.order, self.decisions = order, decisions
        self.fixed: set[int] = set()
        # A fixed point: the inputs of a called graph follow from its callers, and the outputs of a call from the called graph.
        before = -1
        while len(self.fixed) > before:
            before = len(self.fixed)
            for graph in reversed(order):
                for node in graph.nodes:
                    self._mark_node(node)

    def _mark_node(self, node: Node) -> None:
        if isinstance(node, OpNode):
            if self._is_fixed(node):
                self.fixed.update(id(v) for v in node.outputs if is_float(v))
            return
        passed = zip(node.inputs, node.graph.inputs, strict=True)
        self.fixed.update(
            id(inner) for i, (outer, inner) in enumerate(passed) if id(outer) in self.fixed and self._is_passed_to_graph(node, i)
        )
        self.fixed.update(id(outer) for outer, inner in zip(node.outputs, node.graph.outputs, strict=True) if id(inner) in self.fixed)

    def _is_passed_to_graph(self, node: CallNode, index: int) -> bool:
        # After the first step, a state is the step's own result, so the type of its start decides nothing.
        if node.scan is not None and index < node.scan.states:
            return False  # after the first step, a state is what the step makes of it
        return (id(node.graph), index) not in self.decisions.converted

    def _is_fixed(self, node: OpNode) -> bool:
        if id(node) in self.decisions.following or any(spec.dtype == FLOAT32 for spec in node.specs):
            return id(node) in self.decisions.exact
        # With no float input, `all` is true: an operator that makes floats of integers alone gives a fixed tensor.
        return not isinstance(node.op, ParameterOf) and all(id(v) in self.fixed for v in list_float_inputs(node))

    def iterate_needs(self) -> Iterator[CastNeed]:
        """Iterate over the fixed tensors that meet tensors of the model."""
        for graph in self.order:
            for node in graph.nodes:
                yield from (CastNeed(graph, node, v) for v in self._list_needed_values(node))

    def _list_needed_values(self, node: Node) -> list[Value]:
        if isinstance(node, CallNode):
            return [v for i, v in enumerate(node.inputs) if id(v) in self.fixed and not self._is_passed_to_graph(node, i)]
        fixed = [v for v in list_float_inputs(node) if id(v) in self.fixed]
        return fixed if fixed and any(is_float(v) and id(v) not in self.fixed for v in node.outputs) else []

    def iterate_precise_tables(self) -> Iterator[OpNode]:
        """Iterate over the tables that meet a fixed tensor before any tensor of the model, and would cost it its precision."""
        for graph in self.order:
            makers: dict[int, set[OpNode]] = {}
            for node in graph.nodes:
                if not isinstance(node, OpNode):
                    continue
                if _is_table(node):
                    makers[id(node.outputs[0])] = {node}
                    continue
                inputs = list_float_inputs(node)
                of_model = [v for v in inputs if id(v) not in self.fixed]
                if not of_model or any(id(v) not in makers for v in of_model) or node.specs:
                    continue
                tables = set().union(*(makers[id(v)] for v in of_model))
                if len(of_model) == len(inputs):
                    makers.update((id(v), tables) for v in node.outputs)
                else:
                    yield from tables


def list_float_inputs(node: Node) -> list[Value]:
    """List the inputs that are float32 in the spec."""
    return [v for v in node.inputs if is_float(v)]


def is_float(value: Value) -> bool:
    return value.type.dtype == FLOAT32


def _is_table(node: OpNode) -> bool:
    """Whether it is a buffer that is not in the state dict."""
    return isinstance(node.op, TableOperator) and is_float(node.outputs[0]) and any(not spec.persistent for spec in node.specs)
