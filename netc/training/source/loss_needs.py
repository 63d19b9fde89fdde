"""Find what a step needs that minimizes one of several losses: a step of a generator needs no scores of real samples.

In: a section and its means. Out: for each loss, the positions of the totals that its step computes, the losses and metrics that follow from
these totals, and the stages of the model that they need. Always: a step computes the totals of its own loss, those that need no further
stage, and those that need more than any loss does. So each loss and each metric is computed as a whole in the steps of at least one loss.
A step that leaves out stages changes the model as a step with them does: a stage that changes its buffers is never left out.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable

from netc.compiler.ir.differentiated_values import has_gradients
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import collect_graphs, find_needed_nodes
from netc.compiler.objectives.means import MeanDecomposition
from netc.compiler.ops.differentiation import Gradient
from netc.compiler.ops.normalization import Standardize
from netc.compiler.ops.parameter_of import ParameterOf
from netc.dsl.record import Record


class LossNeeds(Record):
    """The positions of the totals that a step of a loss computes, the nodes of the section that compute them, and the part of the model
    that these call. `results` are the names of the losses and metrics that follow from these totals alone; `outputs` are the positions of
    the part's outputs among the outputs of the model."""

    loss: str
    totals: tuple[int, ...]
    results: tuple[str, ...]
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


def changes_buffers(node: Node) -> bool:
    """Whether a stage changes its buffers in training, such as the running means of `batch_norm`. Values that the spec gives, and the
    means that `standardize` measures before the first step, stay."""
    graphs = collect_graphs(node.graph) if isinstance(node, CallNode) else []
    inner = [node, *(inner for graph in graphs for inner in graph.nodes)]
    stages = [stage for stage in inner if isinstance(stage, OpNode) and not isinstance(stage.op, Standardize)]
    return any(spec.name and not spec.trainable for stage in stages for spec in stage.specs)


def find_total_positions(means: MeanDecomposition, result: str) -> frozenset[int]:
    """Find the positions of the totals from which a loss or a metric is computed."""
    index = means.names.index(result)
    if means.finish is None:
        return frozenset({index})
    finish = means.finish.main
    value = finish.outputs[index]
    used = {id(v) for n in find_needed_nodes(finish.nodes, [value]) for v in n.inputs} | {id(value)}
    return frozenset(i for i, total in enumerate(finish.inputs) if id(total) in used)


class _NeedsFinder:
    def __init__(self, training: Training, means: MeanDecomposition) -> None:
        self.training, self.means, self.main = training, means, means.totals.main
        self.call, self.model = training.model_call, training.model_call.graph
        count = len(self.main.outputs)
        self.costs = [self._find_cost([i]) for i in range(count)]
        """For each total, the nodes that take time: the stages of the model, and the gradients of the section."""

    def find_needs(self) -> list[LossNeeds]:
        selected = self._select_totals()
        everything = frozenset[int]().union(*self.costs)
        return [
            self._make_needs(loss, totals)
            for loss, totals in selected.items()
            if self._find_cost(totals) < everything and not self._leaves_out_buffers(totals)
        ]

    def _select_totals(self) -> dict[str, tuple[int, ...]]:
        """Select the positions of the totals that a step of each loss computes."""
        used = {name: find_total_positions(self.means, name) for name in self.means.names}
        selected = dict[str, set[int]]()
        for loss in self.training.losses:
            available = self._find_cost(used[loss])
            selected[loss] = {i for i, cost in enumerate(self.costs) if cost <= available} | used[loss]
        # A sum, which adds up all samples, and what needs more than any loss does, are computed in each step.
        others = {i for i, is_sum in enumerate(self.means.is_sum) if is_sum}
        for positions in used.values():
            if not any(positions <= own | others for own in selected.values()):
                others |= positions
        return {loss: tuple(sorted(own | others)) for loss, own in selected.items()}

    def _leaves_out_buffers(self, positions: Iterable[int]) -> bool:
        """Whether a step that computes these totals leaves out a stage of the model that changes its buffers."""
        needed = self._find_cost(positions)
        return any(changes_buffers(node) for node in self.model.nodes if id(node) not in needed)

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
        results = tuple(name for name in self.means.names if find_total_positions(self.means, name) <= set(totals))
        return LossNeeds(loss, totals, results, tuple(nodes), outputs, self._cut_model(outputs))

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
