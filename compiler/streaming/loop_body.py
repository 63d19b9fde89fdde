"""Copy the body of a loop into a graph without calls.

In: the graph of a `scan`, and the path of the graph around it. Out: the same graph, with labels that begin at the model, and sizes without
formulas of the graphs around it. Always: the two graphs share no value.
"""

from __future__ import annotations

from ..dims import Facts
from ..errors.stream_errors import NotStreamed
from ..ir.graph import CallNode, Graph, Node, OpNode
from ..ir.graph_values import Value
from ..ir.walk import join_labels
from ..ops.formula import Formula, strip_formula
from ..ops.operator import Operator
from ..ops.parameter_of import ParameterOf
from ..types.tensor_types import TensorType
from ..types.traced_ints import strip_formulas
from .items import StreamRefused


def copy_body(graph: Graph, path: str, facts: Facts) -> Graph:
    """Copy the body to its new place."""
    if graph.modules or graph.declares:
        raise StreamRefused(NotStreamed("scan", "", "it uses a shared stage"), graph.span)
    return _BodyCopier(facts).copy_graph(graph, path)


def strip_type(type: TensorType) -> TensorType:
    """Return the type without formulas of the graph that it was in."""
    return type.with_shape(tuple(strip_formulas(d) for d in type.shape))


def strip_operator(op: Operator) -> Operator:
    return type(op)(
        **{name: strip_formula(value) if isinstance(value, Formula) else strip_formulas(value) for name, value in op.args.items()}
    )


class _BodyCopier:
    def __init__(self, facts: Facts) -> None:
        self.facts = facts

    def copy_graph(self, graph: Graph, path: str) -> Graph:
        """Copy a graph. The recursion is as deep as blocks are nested, which is bounded."""
        copied = Graph(graph.name, graph.kind, graph.span)
        copied.captures, copied.size = graph.captures, graph.size
        copied.modules, copied.declares = graph.modules, graph.declares
        known: dict[int, Value] = {}
        copied.inputs = [self._copy_value(v, known) for v in graph.inputs]
        copied.nodes = [self._copy_node(node, path, known) for node in graph.nodes]
        copied.outputs = [known[id(v)] for v in graph.outputs]
        return copied

    def _copy_value(self, value: Value, known: dict[int, Value]) -> Value:
        copied = known[id(value)] = Value(strip_type(value.type), value.span, value.name, value.spatial, value.weak)
        return copied

    def _copy_node(self, node: Node, path: str, known: dict[int, Value]) -> Node:
        inputs = tuple(known[id(v)] for v in node.inputs)
        outputs = tuple(self._copy_value(v, known) for v in node.outputs)
        label = node.label if node.shared is not None else join_labels(path, node.label)
        if isinstance(node, CallNode):
            # Labels inside a call begin at the call, so only the outermost graph gets the path.
            inner = self.copy_graph(node.graph, "")
            return CallNode(inner, inputs, outputs, label, node.span, node.modules, node.shared, scan=node.scan, frozen=node.frozen)
        op = strip_operator(node.op)
        if isinstance(op, ParameterOf):
            op = ParameterOf(**{**op.args, "path": join_labels(path, op.path)})
        specs = op.parameters(op.bind_inputs(tuple(v.type for v in inputs), self.facts))
        return OpNode(op, inputs, outputs, label, node.span, specs, node.tie, node.shared, frozen=node.frozen)
