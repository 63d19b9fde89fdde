"""Build a graph without calls, operator by operator.

In: operators with their arguments, and values of the graph. Out: the values that they compute. Always: each operator's own rules check its
inputs. A path that is used twice becomes a shared stage. `finish_graph` leaves out nodes that no output needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Facts
from ..ir.frames import Frame
from ..ir.graph import CallNode, Graph, Node, OpNode, SharedModule, Tie
from ..ir.graph_values import Value
from ..ir.walk import find_needed_nodes, find_route, join_labels
from ..ops.constants import ParamOperator
from ..ops.operator import Operator
from ..ops.parameter_of import ParameterOf
from ..types.tensor_types import TensorType


class ParameterHome(Record):
    """The home of an operator's parameters: its full path, and the stage that it takes one from."""

    path: str = ""
    tie: Tie | None = None
    frozen: bool = False


NOWHERE = ParameterHome()
TABLE_LABEL = "stream_table"
"""The beginning of labels of tables that only the stream has."""


class FlatBuilder:
    """Builds one flat graph. `facts` are the facts about its dimensions."""

    def __init__(self, name: str, span: Span, facts: Facts) -> None:
        self.graph = Graph(name, "model", span)
        self.facts = facts
        self.frame: Frame | None = None
        """The block of the model that the operators come from."""
        self._first: dict[str, Node] = {}
        self._tables = 0

    def add_input(self, type: TensorType, name: str, span: Span) -> Value:
        value = Value(type, span, name)
        self.graph.inputs.append(value)
        return value

    def add_operator(
        self, op: Operator, inputs: Sequence[Value], span: Span, home: ParameterHome = NOWHERE, count: int | None = None
    ) -> tuple[Value, ...]:
        """Add an operator and return its first `count` results, or all. Raises OperatorError if its rule refuses the inputs."""
        bound = op.bind_inputs(tuple(v.type for v in inputs), self.facts)
        outputs = tuple(Value(type, span) for type in op.check_and_infer(bound)[:count])
        specs = op.parameters(bound)
        # Only parameters need a path: other operators get labels in `finish_graph`.
        path = (home.path or self._make_table_label()) if specs else ""
        node = OpNode(op, tuple(inputs), outputs, path, span, specs, home.tie, self._find_shared(path, span), frozen=home.frozen)
        node.frame = self.frame
        self._first.setdefault(path, node)
        self.graph.nodes.append(node)
        return outputs

    def add_call(self, node: CallNode) -> None:
        """Add a loop, whose inputs are values of this graph."""
        node.frame = self.frame
        self.graph.nodes.append(node)

    def _make_table_label(self) -> str:
        """Make a label for a table that is in no stage of the model."""
        self._tables += 1
        return f"{TABLE_LABEL}{self._tables}"

    def _find_shared(self, path: str, span: Span) -> SharedModule | None:
        first = self._first.get(path) if path else None
        if first is None:
            return None
        # The second use of a path makes it a shared stage, so that both graphs keep one parameter.
        if first.shared is None:
            first.shared = SharedModule(path, span)
            self.graph.declares.append(first.shared)
        return first.shared

    def finish_graph(self, outputs: Iterable[tuple[str, Value]]) -> Graph:
        """Finish the graph with these named results."""
        graph = self.graph
        graph.output_names, graph.outputs = [], []
        for name, value in outputs:
            graph.output_names.append(name)
            graph.outputs.append(value)
        graph.nodes = find_needed_nodes(graph.nodes, graph.outputs)
        self._localize_parameters()
        graph.size = sum(1 if isinstance(n, OpNode) else n.graph.size for n in graph.nodes)
        used = {id(n.shared) for n in graph.nodes if n.shared is not None}
        graph.declares = [module for module in graph.declares if id(module) in used]
        _label_nodes(graph)
        return graph

    def _localize_parameters(self) -> None:
        """Turn references to parameters of stages outside this graph into parameters of this graph, with the keys of the full model. For
        example, `embed.weight` becomes one if only the start of the stream embeds."""
        # A flat graph has no other calls than loops.
        bodies = [node.graph for node in self.graph.nodes if isinstance(node, CallNode)]
        uses: dict[str, list[tuple[OpNode, ParameterOf]]] = {}
        for node in [node for graph in (self.graph, *bodies) for node in graph.nodes]:
            match node:
                case OpNode(op=ParameterOf() as op) if not find_route(self.graph, op.path):
                    uses.setdefault(join_labels(op.path, op.parameter), []).append((node, op))
        for key, nodes in uses.items():
            module = SharedModule(key, nodes[0][0].span) if len(nodes) > 1 else None
            if module is not None:
                self.graph.declares.append(module)
            for node, op in nodes:
                node.label, node.shared = key, module
                # Integers are buffers, which have no gradients.
                node.op = ParamOperator(shape=op.shape, dtype=op.dtype, trainable=op.dtype.is_float)
                node.specs = node.op.parameters(node.op.bind_inputs((), self.facts))

    def untie_parameters(self) -> dict[str, str]:
        """Untie parameters from stages that are not in this graph. Return their names here and their names in the full model."""
        labels = {node.label for node in self.graph.nodes}
        first_names: dict[str, str] = {}
        for node in self.graph.nodes:
            if isinstance(node, OpNode) and node.tie is not None and node.tie.path not in labels:
                first_names[join_labels(node.label, node.tie.name)] = join_labels(node.tie.path, node.tie.target_name)
                node.tie = None
        return first_names


def _label_nodes(graph: Graph) -> None:
    """Give operators without parameters the labels that the language would give: `relu1`, `relu2`."""
    labels = {node.label for node in graph.nodes if node.label}
    counts: dict[str, int] = {}
    for node in graph.nodes:
        if not isinstance(node, OpNode) or node.label or node.shared is not None or node.specs:
            continue
        # A stage of the model may have such a label already: `dense 3 as relu1`.
        while not node.label or node.label in labels:
            counts[node.op.name] = counts.get(node.op.name, 0) + 1
            node.label = f"{node.op.name}{counts[node.op.name]}"
        labels.add(node.label)
