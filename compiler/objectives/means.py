"""Split a training objective into sums and divisors, so that a batch can be computed in several parts.

Gradient accumulation and data parallelism see only part of a batch at a time, and the mean of the parts' means is wrong if the parts
differ in size. So a mean is kept as a total and a count until the full batch has been seen. For a loss `cross_entropy` with
`ignore_index`, the total is the sum of the losses and the count is the number of labels that are not ignored.

In: the objective of a train section, a program whose outputs are a loss and metrics. Out: a `MeanDecomposition`, with a program for the
totals, one for the counts that are not plain sizes, and one that computes the loss and the metrics from the means. Always: the totals and
the counts of the parts add up to the totals and the counts of the batch, and counts depend on the data alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any

from netc.dsl.record import Record

from ..analysis.sample_dependence import count_batch_axes, find_varying, has_symbolic_sizes
from ..dims import Dim, make_symbol
from ..ir.copy_graph import copy_graphs
from ..ir.graph import CallNode, Graph, Node, OpNode, Program
from ..ir.graph_values import Value
from ..ir.inline_calls import can_inline, inline_call
from ..ir.training_program import MODEL, Training
from ..ir.walk import find_needed_nodes
from ..ops.normalization import BatchNorm
from ..ops.operator import Operator, OpInputs
from ..ops.reduction import Sum
from ..proofs import find_mixing_stage
from ..proofs.counted_positions import counts_positions, is_multiple
from ..proofs.rules.windows import analyze_own_statistics
from ..types.tensor_types import BATCH
from .divisors import SUM, CutPoint, DivisorBuilder

LINEAR = ("add", "sub", "neg", "identity", "detach")
"""Operators that are linear in all their inputs."""
REARRANGING = ("sum", "mean", "reshape", "flatten", "squeeze", "unsqueeze", "transpose", "permute")
"""Operators of one tensor that add up or move its elements."""


class MeanDecomposition(Record):
    """An objective as totals and counts.

    `totals` computes one number for each mean. `counts` has the divisor for each: a size, or the position of an output of
    `counts_program`, which is None if all are sizes. `finish` computes the loss and the metrics from the means, in the order of the totals;
    it is None if they are the means themselves, each once.
    """

    totals: Program
    counts: tuple[Dim | int, ...]
    is_size: tuple[bool, ...]
    counts_program: Program | None
    finish: Program | None
    names: tuple[str, ...]
    why_not_additive: str
    """The reason why the losses of the parts do not add up to the loss of the batch; empty if they do. A result that is not a function of
    means is then weighted by the number of samples in each part."""
    is_scaled: tuple[bool, ...]
    """Whether each total is such a result, to be multiplied by its count."""
    is_constant: tuple[bool, ...]
    """Whether each total is the same for all samples, such as a penalty on weights. Every part computes all of it."""
    averaged: dict[str, str] = {}
    """The metrics that are not functions of means, each with the reason: they are averaged over batches, so they depend on `batch`."""

    @property
    def is_sum(self) -> tuple[bool, ...]:
        """Whether each total is a sum, without a divisor."""
        return tuple(is_size and count == SUM for count, is_size in zip(self.counts, self.is_size, strict=True))


def decompose_objective(training: Training) -> MeanDecomposition:
    """Split the objective into totals and counts."""
    return _ObjectiveCutter(training).cut_objective()


class _ObjectiveCutter:
    def __init__(self, training: Training) -> None:
        self.training = training
        # The model's own graph is not copied, because its call is never inlined here.
        self.main = copy_graphs(training.program.main, (training.model_call.graph,))[-1]
        self._analyze_graph()

    def _analyze_graph(self) -> None:
        """Collect the facts about the graph that cutting needs. Inlining a call changes the graph, so this runs again after it."""
        self.maker: dict[int, Node] = {id(v): n for n in self.main.nodes for v in n.outputs}
        self.cuts: dict[int, CutPoint] = {}
        """By the id of the value."""
        self.inside: set[int] = set()
        """The ids of the nodes that compute the loss and the metrics from the means."""
        self.varying = find_varying(self.main)
        self.predicted = self._find_predicted_values()
        self.computed = self._find_dependent_values()

    def cut_objective(self) -> MeanDecomposition:
        # An opened block may contain further blocks that make a mean.
        while (block := self._find_cuts()) is not None:
            inline_call(self.main, block)
            self._analyze_graph()
        # By position in the graph, so that the order of the totals does not depend on the order in which outputs were
        # followed.
        places = {id(v): i for i, v in enumerate(v for n in self.main.nodes for v in n.outputs)}
        self.cuts = {key: self.cuts[key] for key in sorted(self.cuts, key=lambda key: places.get(key, -1))}
        cuts = list(self.cuts.values())
        divisors = DivisorBuilder(self.training.program.facts)
        for cut in cuts:
            divisors.add_cut(cut)
        return MeanDecomposition(
            self._build_totals(cuts),
            tuple(divisors.counts),
            tuple(divisors.is_size),
            self._build_counts(divisors),
            self._build_finish(cuts),
            tuple(self.main.output_names),
            self._explain_not_additive(),
            tuple(bool(cut.why) for cut in cuts),
            tuple(cut.constant for cut in cuts),
            self._find_averaged(),
        )

    def _find_dependent_values(self) -> set[int]:
        """The ids of the values that need the data, the model or a size: the program that combines the means has none of these."""
        dependent = {id(v) for v in self.main.inputs}
        for node in self.main.nodes:
            sized = isinstance(node, OpNode) and has_symbolic_sizes(node)
            if sized or node.label == MODEL or any(id(v) in dependent for v in node.inputs):
                dependent.update(id(v) for v in node.outputs)
        return dependent

    def _find_predicted_values(self) -> set[int]:
        """The ids of the values that are computed from the results of the model."""
        predicted: set[int] = set()
        for node in self.main.nodes:
            if node.label == MODEL or any(id(v) in predicted for v in node.inputs):
                predicted.update(id(v) for v in node.outputs)
        return predicted

    def _find_cuts(self) -> CallNode | None:
        """Follow all outputs back to their means. Return a block that computes one of them, to be inlined because the means are inside
        it."""
        for name, value in zip(self.main.output_names, self.main.outputs, strict=True):
            self._follow_output(name, value)
        nodes = (cut.node for cut in self.cuts.values() if cut.why)
        return next((n for n in nodes if isinstance(n, CallNode) and n.label != MODEL and can_inline(n)), None)

    def _follow_output(self, name: str, value: Value) -> None:
        """Follow an output back to its means."""
        stack = [value]
        while stack:
            current = stack.pop()
            if id(current) not in self.maker and id(current) not in self.varying:  # an input without samples, such as a weight
                self.cuts[id(current)] = CutPoint(current, None, constant=True)
                continue
            node = self.maker[id(current)]
            # A node with several outputs, such as `split`, is entered once for each of them, because only some may be
            # cuts.
            if id(current) in self.cuts or (id(node) in self.inside and len(node.outputs) == 1):
                continue
            # A penalty on the weights: the same for all samples, but it needs the model, so it cannot be computed
            # after the batch.
            if id(current) not in self.varying and id(current) in self.computed:
                self.cuts[id(current)] = CutPoint(current, node, constant=True)
            elif id(current) not in self.varying or self._is_of_means(node, current):
                self.inside.add(id(node))
                stack += node.inputs
            elif isinstance(node, OpNode) and self._is_cut(node):
                self.cuts[id(current)] = CutPoint(current, node)
            else:
                self.cuts[id(current)] = CutPoint(current, node, why=self._why_no_mean(name, node))

    def _why_no_mean(self, name: str, node: Node) -> str:
        """Say why the loss or metric `name` is not a mean at this node."""
        if isinstance(node, OpNode) and self._counts_predictions(node):
            return f"the number of samples that count in `{node.op.name}` depends on the outputs of the model"
        dependence = self._explain_dependence(list(node.inputs)) if isinstance(node, OpNode) and is_total(node.op) else ""
        what = f"`{node.op.name}`" if isinstance(node, OpNode) else "a block"
        return dependence or f"`{name}` is made by {what}, not by a mean or a sum over the samples"

    def _is_of_means(self, node: Node, value: Value) -> bool:
        """Whether a value without axes is computed from other such values, which may be means, and not from the data directly."""
        if not isinstance(node, OpNode) or value.type.rank or has_symbolic_sizes(node):
            return False
        # An input of the graph is data, even if it has no axes.
        return all(v.type.rank == 0 and id(v) in self.maker for v in node.inputs if id(v) in self.varying)

    def _is_cut(self, node: OpNode) -> bool:
        """Whether the node is a sum over samples, or a mean with a divisor. Some losses have no divisor, because they average averages. A
        sum of values that were averaged over the samples before is not a sum over samples."""
        op: Any = node.op
        if not is_total(op) or not all(count_batch_axes(v.type.shape) for v in node.inputs if id(v) in self.varying):
            return False
        if not getattr(op, "is_mean", False):
            return True
        return op.mean_divisor(self._bind_inputs(node)) is not None and not self._counts_predictions(node)

    def _counts_predictions(self, node: OpNode) -> bool:
        """Whether the divisor of a mean depends on the results of the model, as for labels that the model chooses. The counts of all parts
        are computed before the first backward pass, from the data alone."""
        op: Any = node.op
        count = op.mean_divisor(self._bind_inputs(node)) if getattr(op, "is_mean", False) else None
        if not isinstance(count, tuple):
            return False
        values = dict(zip(op.assign_operands(self._bind_inputs(node).types), node.inputs, strict=True))
        return any(id(values[name]) in self.predicted for step in count for name in step.inputs if name in values)

    def _bind_inputs(self, node: OpNode) -> OpInputs:
        return node.op.bind_inputs(tuple(v.type for v in node.inputs), self.training.program.facts)

    def _build_totals(self, cuts: list[CutPoint]) -> Program:
        """The program that computes the totals: sums in place of means, each after the nodes that it depends on."""
        total_nodes = {id(cut.value): _total_node(cut.node) for cut in cuts if cut.is_total}
        outputs = [total_nodes[id(cut.value)].outputs[0] if cut.is_total else cut.value for cut in cuts]
        wanted = [v for node in total_nodes.values() for v in node.inputs] + [cut.value for cut in cuts if not cut.is_total]
        # Neither the nodes after a mean nor the nodes of the other outputs.
        before = find_needed_nodes(self.main.nodes, wanted)
        for node in total_nodes.values():
            # A metric may need the mean as it is, next to the sum that replaces it.
            if any(node.label == other.label for other in before):  # the mean itself is needed too
                node.label = f"{node.label}_total"
        return self._build_program("totals", [*before, *total_nodes.values()], outputs)

    def _build_program(self, name: str, nodes: list[Node], outputs: list[Value], inputs: list[Value] | None = None) -> Program:
        program = self.training.program
        graph = Graph(f"{self.training.name}_{name}", "model", self.main.span)
        graph.origins, graph.decisions = self.main.origins, self.main.decisions
        graph.inputs = list(self.main.inputs) if inputs is None else inputs
        graph.nodes = nodes
        graph.outputs = outputs
        graph.output_names = [f"{name}{i}" for i in range(len(outputs))]
        graph.size = sum(n.graph.size if isinstance(n, CallNode) else 1 for n in nodes)
        return Program(graph, program.facts, program.symbols, program.conditions, program.dims)

    def _build_counts(self, divisors: DivisorBuilder) -> Program | None:
        """The program that computes the divisors that are not sizes."""
        if not divisors.outputs:
            return None
        local = {id(v) for n in divisors.nodes for v in n.outputs}
        before = find_needed_nodes(self.main.nodes, [v for n in divisors.nodes for v in n.inputs if id(v) not in local])
        return self._build_program("counts", [*before, *divisors.nodes], divisors.outputs)

    def _build_finish(self, cuts: list[CutPoint]) -> Program | None:
        means = [c.value for c in cuts]
        if [id(v) for v in self.main.outputs] == [id(v) for v in means]:
            return None
        nodes = [n for n in self.main.nodes if id(n) in self.inside]
        program = self._build_program("finish", nodes, list(self.main.outputs), means)
        for index, cut in enumerate(cuts):
            # The means are inputs of this program, and inputs need names.
            cut.value.name = cut.value.name or f"{'term' if cut.constant else 'mean'}{index}"
        return program

    def _explain_not_additive(self) -> str:
        """Say why a loss is not a sum of means with constant factors; empty if each is."""
        for loss in self.main.outputs[: len(self.training.losses)]:
            # `log(mean)` of two parts is not the mean of the parts' logs.
            nonlinear = (f"`{n.op.name}` is computed of the mean" for n in self._iterate_combining(loss) if not self._is_linear(n))
            why = next(nonlinear, "") or self._explain_not_of_means(loss)
            if why:
                return why
        return ""

    def _find_averaged(self) -> dict[str, str]:
        """Find the metrics that are not functions of means, each with the reason."""
        metrics = list(zip(self.main.output_names, self.main.outputs, strict=True))[len(self.training.losses) :]
        return {name: why for name, value in metrics if (why := self._explain_not_of_means(value))}

    def _explain_not_of_means(self, output: Value) -> str:
        """Say why an output is not a function of means and sums over samples; empty if it is."""
        cuts = [cut for cut in self._iterate_cuts(output) if not self._is_linear_of_means(cut.value)]
        why = next((cut.why for cut in cuts if cut.why), "")
        return why or self._explain_dependence([value for cut in cuts if cut.node is not None for value in cut.node.inputs])

    def _is_linear_of_means(self, value: Value) -> bool:
        """Whether a value is a sum of means over the batch, such as `x -> mean axis=0 -> sum`. The average over the parts, each weighted by
        the number of its samples, is the value of the batch."""
        stack, seen, averaged = [value], set[int](), list[Value]()
        while stack:
            current = stack.pop()
            if id(current) not in self.varying or id(current) in seen:
                continue
            seen.add(id(current))
            node = self.maker.get(id(current))
            if not isinstance(node, OpNode):
                return False
            sees_batch = any(count_batch_axes(v.type.shape) for v in node.inputs)
            if sees_batch and node.op.name == "mean" and not count_batch_axes(current.type.shape):
                averaged += node.inputs
            elif sees_batch or not (node.op.name in REARRANGING or self._is_linear(node)):
                return False
            else:
                stack += node.inputs
        return not self._explain_dependence(averaged)

    def _iterate_cuts(self, output: Value) -> Iterator[CutPoint]:
        """Yield the means of an output, and the values that are treated as means."""
        values = (output, *(value for node in self._iterate_combining(output) for value in node.inputs))
        yield from (self.cuts[id(value)] for value in values if id(value) in self.varying and id(value) in self.cuts)

    def _iterate_combining(self, output: Value) -> Iterator[OpNode]:
        """Yield the nodes that compute an output from its means, each once."""
        stack, seen = [output], set[int]()
        while stack:
            value = stack.pop()
            if id(value) in self.varying and id(value) not in self.cuts and id(value) not in seen:
                seen.add(id(value))
                node = self.maker[id(value)]
                assert isinstance(node, OpNode)
                yield node
                stack += node.inputs

    def _explain_dependence(self, terms: list[Value]) -> str:
        """Say why the terms of a mean depend on the rest of the batch: name the stage that mixes samples, or counts them. Empty if they do
        not."""
        program = self._build_program("terms", list(find_needed_nodes(self.main.nodes, terms)), terms)
        # Each part of a batch has statistics of its own, see docs/training.md.
        cause = find_mixing_stage(program, (make_symbol(BATCH),), {BatchNorm: analyze_own_statistics}, training=True, counted=True)
        if cause is None:
            return next((self._explain_count(value) for value in terms if not self._is_count_multiple(value)), "")
        stage = cause.label or cause.operator
        if cause.counts:
            return f"`{stage}` depends on the size of the batch, or on the place of a sample in it"
        return f"in `{stage}`, samples of a batch {'meet' if cause.has_rule else 'may meet'}"

    def _is_count_multiple(self, value: Value) -> bool:
        """Whether each sample has the same number of terms. Then the terms of the parts are all terms of the batch."""
        count = make_symbol(BATCH)
        return id(value) not in self.varying or is_multiple(prod(value.type.shape, start=1), count, self.training.program.facts)

    def _explain_count(self, value: Value) -> str:
        maker = self.maker.get(id(value))
        what = "an input" if maker is None else f"`{maker.label}`"
        return f"the number of elements of {what} for each sample depends on the size of the batch"

    def _is_linear(self, node: OpNode) -> bool:
        """Whether an operator is linear in its varying inputs: a sum, a product with one varying factor, or a quotient with a varying
        numerator alone. A factor must not depend on the size of the batch."""
        if counts_positions(node.op, (make_symbol(BATCH),)):
            return False
        different = [v for v in node.inputs if id(v) in self.varying]
        match node.op.name:
            case "mul":
                return len(different) == 1
            case "div":
                return different == [node.inputs[0]] and not node.op.number_first
        return node.op.name in LINEAR


def is_total(op: Operator) -> bool:
    """Whether an operator reduces to a mean or a sum."""
    return isinstance(op, Sum) or bool(getattr(op, "is_mean", False)) or getattr(op, "reduction", "") == "sum"


def _total_node(node: Node | None) -> OpNode:
    """Make a node that sums the terms that another node averages or sums."""
    assert isinstance(node, OpNode)
    op: Any = node.op
    result, total = Value(node.outputs[0].type, node.span), op.make_total() if getattr(op, "is_mean", False) else op
    return OpNode(total, node.inputs, (result,), node.label, node.span, node.specs, node.tie, node.shared, node.parts, node.frozen)
