"""Find what a step needs that minimizes one of several losses: a step of a generator needs no scores of real samples.

In: a section and its means. Out: for each loss, the positions of the totals that its step computes, and the stages of the model that they
need. Always: a step computes the totals of its own loss, those that need no further stage, and those that need more than any loss does.
So each total is computed in the steps of at least one loss.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from netc.compiler.analysis.means import MeanDecomposition
from netc.compiler.ir.differentiated_values import has_gradients
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import collect_graphs, find_needed_nodes
from netc.compiler.ops.differentiation import Gradient
from netc.compiler.ops.parameter_of import ParameterOf
from netc.dsl.record import Record


class LossNeeds(Record):
    """The positions of the totals that a step of a loss computes, the nodes of the section that compute them, and the part of the model
    that these call. `outputs` are the positions of the part's outputs among the outputs of the model."""

    loss: str
    totals: tuple[int, ...]
    nodes: tuple[Node, ...]
    outputs: tuple[int, ...]
    part: Program


def find_loss_needs(training: Training, means: MeanDecomposition) -> list[LossNeeds]:
    """Return the needs of each loss whose steps can leave out a stage of the model or a gradient; empty for a section with one loss."""
    return _NeedsFinder(training, means).find_needs() if len(training.losses) > 1 and _is_divisible(training.model_call.graph) else []


def _is_divisible(model: Graph) -> bool:
    """Whether each output is computed from inputs and from stages of its own. Parameters of other stages would be missing in a part, and
    tuples and outputs that depend on the mode are returned as a whole."""
    nodes = [node for graph in collect_graphs(model) for node in graph.nodes if isinstance(node, OpNode)]
    refers = any(node.tie is not None or isinstance(node.op, ParameterOf) for node in nodes)
    return not (refers or model.tuples or model.tails or model.has_modes or model.training_outputs is not None)


def differentiates(node: Node) -> bool:
    """Whether a node of a section computes a gradient."""
    return has_gradients(node.graph) if isinstance(node, CallNode) else isinstance(node.op, Gradient)


class _NeedsFinder:
    def __init__(self, training: Training, means: MeanDecomposition) -> None:
        self.training, self.means, self.main = training, means, means.totals.main
        self.call, self.model = training.model_call, training.model_call.graph
        count = len(self.main.outputs)
        self.costs = [self._find_cost([i]) for i in range(count)]
        """For each total, the nodes that take time: those of the model, and the gradients of the section."""

    def find_needs(self) -> list[LossNeeds]:
        losses = self.training.losses
        own = [self._find_positions(name) for name in losses]
        costs = [self._find_cost(positions) for positions in own]
        selected = [[i for i, cost in enumerate(self.costs) if cost <= available or i in own[k]] for k, available in enumerate(costs)]
        # A total that needs more than any loss does, and a sum, which adds up all samples, are computed as before.
        others = {i for i, is_sum in enumerate(self.means.is_sum) if is_sum or not any(i in positions for positions in selected)}
        everything = frozenset[int]().union(*self.costs)
        needs = []
        for name, positions in zip(losses, selected, strict=True):
            totals = tuple(sorted({*positions, *others}))
            if self._find_cost(totals) < everything:
                needs.append(self._make_needs(name, totals))
        return needs

    def _find_positions(self, loss: str) -> list[int]:
        """Return the positions of the totals from which a loss is computed."""
        finish = self.means.finish
        if finish is None:
            return [self.means.names.index(loss)]
        result = finish.main.outputs[self.means.names.index(loss)]
        used = {id(v) for n in find_needed_nodes(finish.main.nodes, [result]) for v in n.inputs} | {id(result)}
        return [i for i, value in enumerate(finish.main.inputs) if id(value) in used]

    def _find_cost(self, positions: Iterable[int]) -> frozenset[int]:
        nodes = self._find_section_nodes(positions)
        gradients = [n for n in nodes if differentiates(n)]
        needed = find_needed_nodes(self.model.nodes, [self.model.outputs[i] for i in self._find_outputs(positions, nodes)])
        return frozenset(map(id, [*gradients, *needed]))

    def _find_section_nodes(self, positions: Iterable[int]) -> list[Node]:
        nodes = find_needed_nodes(self.main.nodes, [self.main.outputs[i] for i in positions])
        return [n for n in nodes if n.label != MODEL]

    def _find_outputs(self, positions: Iterable[int], nodes: Iterable[Node]) -> tuple[int, ...]:
        """Return the positions of the outputs of the model that nodes or totals use."""
        used = {id(v) for n in nodes for v in n.inputs} | {id(self.main.outputs[i]) for i in positions}
        return tuple(i for i, value in enumerate(self._call_outputs) if id(value) in used)

    @property
    def _call_outputs(self) -> list[Value]:
        # The decomposition has a copy of the section, with a call of its own.
        return next((list(n.outputs) for n in self.main.nodes if n.label == MODEL), [])

    def _make_needs(self, loss: str, totals: tuple[int, ...]) -> LossNeeds:
        nodes = self._find_section_nodes(totals)
        outputs = self._find_outputs(totals, nodes)
        return LossNeeds(loss, totals, tuple(nodes), outputs, self._cut_model(outputs))

    def _cut_model(self, outputs: tuple[int, ...]) -> Program:
        """Cut the nodes that these outputs need out of the model, with the inputs that they use."""
        program = self.training.program
        values = [self.model.outputs[i] for i in outputs]
        graph: Graph = copy.copy(self.model)
        graph.kind = "model"
        graph.nodes = find_needed_nodes(self.model.nodes, values)
        graph.outputs, graph.output_names = values, [self.model.output_names[i] for i in outputs]
        used = {id(v) for n in graph.nodes for v in n.inputs} | {id(v) for v in values}
        graph.inputs = [v for v in self.model.inputs if id(v) in used]
        return Program(graph, program.facts, program.symbols, program.conditions, program.dims)
