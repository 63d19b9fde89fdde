"""An objective cut at its means, so that each is a total and a count until a whole batch has been seen.

In: the objective of a train section: a program whose outputs are a loss and metrics. Out: a `Means`: programs that compute the totals, and
the counts that are not just sizes, from what the data provides; and one that computes loss and metrics of the means. Always: totals and
counts of the parts of a batch add up to those of the whole, and counts depend on the data alone; what cannot be cut so is a `NotMean`.
"""

from __future__ import annotations

from typing import Any

from netc.dsl.record import Record
from netc.dsl.source import Span

from ..dims import Dim, Facts, symbol
from ..errors.training import NotMean
from ..ir.graph import CallNode, Graph, Node, OpNode, Program
from ..ir.training import MODEL, Training
from ..ir.types import BATCH
from ..ir.values import Value
from ..ir.walk import needed
from ..ops.base import Operator
from ..ops.reduction import Sum
from .mixing import mixing

LINEAR = ("add", "sub", "neg")
"""Operators that are linear in all their inputs."""
SCALED = ("mul", "div")
"""Operators that are linear in the first input, if the others are the same for all samples."""


SUM = 0
"""The count of what is a sum: it is divided by nothing, in however many parts it is computed."""


class NotDecomposable(Exception):
    """The objective is no function of means: why, and where."""

    def __init__(self, problem: NotMean, span: Span) -> None:
        super().__init__(problem.message())
        self.problem = problem
        self.span = span


class Means(Record):
    """`totals` computes one number for each mean, `counts` has its divisor for each: a size, or the position of an output of
    `counted`, which is None if all are sizes. `finish` computes the loss and the metrics of the means, in the order of the totals; None if
    they are the means themselves, each once."""

    totals: Program
    counts: tuple[Dim | int, ...]
    is_size: tuple[bool, ...]
    counted: Program | None
    finish: Program | None
    names: tuple[str, ...]
    whole: str
    """Why the loss of a batch in parts is not that of the whole; empty if it is. A result that is no function of means counts for each part
    as much as the part has samples."""
    scaled: tuple[bool, ...]
    """Which totals are such results, to be multiplied by their count."""

    @property
    def is_sum(self) -> tuple[bool, ...]:
        """Which totals are sums, which are divided by nothing."""
        return tuple(is_size and count == SUM for count, is_size in zip(self.counts, self.is_size, strict=True))


def means_of(training: Training) -> Means:
    """Cuts the objective. Raises `NotDecomposable` if what a mean is divided by depends on what the model gives."""
    return _Cut(training).run()


class _Cut:
    def __init__(self, training: Training) -> None:
        self.training = training
        self.main = training.program.main
        self.maker: dict[int, Node] = {id(v): n for n in self.main.nodes for v in n.outputs}
        self.cuts: list[Node] = []
        self.whole: dict[int, str] = {}
        """By the id of a node that is no mean but has to be taken for one: why."""
        self.inside: set[int] = set()
        """The ids of the nodes that compute loss and metrics of the means."""
        self.varying = self._varying()

    def run(self) -> Means:
        for name, value in zip(self.main.output_names, self.main.outputs, strict=True):
            self._find(name, value)
        places = {id(n): i for i, n in enumerate(self.main.nodes)}
        self.cuts = sorted({id(n): n for n in self.cuts}.values(), key=lambda n: places[id(n)])
        totals = [node if id(node) in self.whole else _total(node) for node in self.cuts]
        counts = _Counts(self)
        for node in self.cuts:
            counts.add(node)
        return Means(
            self._program("totals", self._with(totals), [t.outputs[0] for t in totals]),
            tuple(counts.found),
            tuple(counts.is_size),
            counts.program(),
            self._finish(),
            tuple(self.main.output_names),
            self._not_additive(),
            tuple(id(n) in self.whole for n in self.cuts),
        )

    def _varying(self) -> set[int]:
        """The ids of the values that differ between samples, or between batches."""
        found = {id(v) for v in self.main.inputs}
        for node in self.main.nodes:
            if any(id(v) in found for v in node.inputs):
                found.update(id(v) for v in node.outputs)
        return found

    def _find(self, name: str, value: Value) -> None:
        """Follows an output back to its means."""
        stack = [value]
        while stack:
            at = stack.pop()
            node = self.maker.get(id(at))
            if node is None or id(at) not in self.varying:
                if node is not None and id(node) not in self.inside:
                    self.inside.add(id(node))
                    stack += node.inputs
                continue
            if isinstance(node, OpNode) and self._is_cut(node) and id(node) not in self.whole:
                self.cuts.append(node)
            elif isinstance(node, OpNode) and at.type.rank == 0 and all(v.type.rank == 0 for v in node.inputs if id(v) in self.varying):
                self.inside.add(id(node))
                stack += node.inputs
            else:
                what = f"`{node.op.name}`" if isinstance(node, OpNode) else "a block"
                self.whole[id(node)] = f"`{name}` is made by {what}, not by a mean or a sum over the samples"
                self.cuts.append(node)

    def _is_cut(self, node: OpNode) -> bool:
        """Whether the node is a sum, or a mean with a divisor: some losses average averages."""
        op: Any = node.op
        if not is_total(op) or not getattr(op, "is_mean", False):
            return is_total(op)
        return op.count(op.bind(tuple(v.type for v in node.inputs), self.training.program.facts)) is not None

    def _with(self, last: list[Node]) -> list[Node]:
        """These nodes after those that they depend on."""
        before = needed(self.main.nodes, [v for n in last for v in n.inputs])
        return [*(n for n in before if all(n is not one for one in last)), *last]

    def _program(self, name: str, nodes: list[Node], outputs: list[Value], inputs: list[Value] | None = None) -> Program:
        whole = self.training.program
        graph = Graph(f"{self.training.name}_{name}", "model", self.main.span)
        graph.inputs = list(self.main.inputs) if inputs is None else inputs
        graph.nodes = nodes
        graph.outputs = outputs
        graph.output_names = [f"{name}{i}" for i in range(len(outputs))]
        graph.size = sum(n.graph.size if isinstance(n, CallNode) else 1 for n in nodes)
        return Program(graph, whole.facts, whole.symbols, whole.conditions, whole.dims)

    def _finish(self) -> Program | None:
        means = [c.outputs[0] for c in self.cuts]
        if [id(v) for v in self.main.outputs] == [id(v) for v in means]:
            return None
        nodes = [n for n in self.main.nodes if id(n) in self.inside]
        program = self._program("finish", nodes, list(self.main.outputs), means)
        for index, value in enumerate(means):
            value.name = value.name or f"mean{index}"
        return program

    def _not_additive(self) -> str:
        """Why the loss is no sum of means times factors that are the same for all samples; empty if it is one."""
        terms: list[Value] = []
        stack = [self.main.outputs[0]]
        while stack:
            value = stack.pop()
            node = self.maker.get(id(value))
            if node is not None and id(node) in self.whole:
                return self.whole[id(node)]
            if id(value) not in self.varying or node is None or any(node is c for c in self.cuts):
                terms += node.inputs if node is not None else ()
                continue
            assert isinstance(node, OpNode)
            others = [v for v in node.inputs[1:] if id(v) in self.varying]
            reverse = node.op.args.get("reverse")
            if node.op.name in LINEAR or (node.op.name in SCALED and not others and not (reverse and node.op.name == "div")):
                stack += node.inputs
            else:
                return f"`{node.op.name}` is computed of the mean"
        meeting = mixing(self._program("terms", list(needed(self.main.nodes, terms)), terms).main)
        return "" if meeting is None else f"in `{meeting.label or meeting.op.name}`, samples of a batch meet"


class _Counts:
    """The divisor of each cut."""

    def __init__(self, cut: _Cut) -> None:
        self.cut = cut
        self.found: list[Dim | int] = []
        self.is_size: list[bool] = []
        self.made: list[OpNode] = []
        self.outputs: list[Value] = []

    def add(self, node: Node) -> None:
        facts = self.cut.training.program.facts
        if id(node) in self.cut.whole or not isinstance(node, OpNode):
            self.found.append(symbol(BATCH))
            self.is_size.append(True)
            return
        op: Any = node.op
        given = op.bind(tuple(v.type for v in node.inputs), facts)
        count = op.count(given) if getattr(op, "is_mean", False) else SUM
        if not isinstance(count, tuple):
            self.found.append(count)
            self.is_size.append(True)
            return
        values = dict(zip(op.assign(given.types), node.inputs, strict=True))
        for step in count:
            inputs = tuple(values[name] for name in step.inputs)
            values[step.name] = self._apply(step.op, inputs, node.span, facts)
        self.found.append(len(self.outputs))
        self.is_size.append(False)
        self.outputs.append(values[count[-1].name])

    def _apply(self, op: Operator, inputs: tuple[Value, ...], span: Span, facts: Facts) -> Value:
        (type_,) = op.infer(op.bind(tuple(v.type for v in inputs), facts))
        made = Value(type_, span)
        self.made.append(OpNode(op, inputs, (made,), f"count{len(self.made)}", span, ()))
        return made

    def program(self) -> Program | None:
        if not self.outputs:
            return None
        own = {id(v) for n in self.made for v in n.outputs}
        before = list(needed(self.cut.main.nodes, [v for n in self.made for v in n.inputs if id(v) not in own]))
        model = next((n for n in before if n.label == MODEL), None)
        if model is not None:
            raise NotDecomposable(NotMean("the number of samples that count depends on what the model gives"), self.made[0].span)
        return self.cut._program("counts", [*before, *self.made], self.outputs)


def is_total(op: Operator) -> bool:
    """Whether an operator reduces to a mean or a sum."""
    return isinstance(op, Sum) or bool(getattr(op, "is_mean", False)) or getattr(op, "reduction", "") == "sum"


def _total(node: Node) -> Node:
    """The node that sums what another averages."""
    if not isinstance(node, OpNode):
        return node
    op: Any = node.op
    if not getattr(op, "is_mean", False):
        return node
    result = Value(node.outputs[0].type, node.span)
    return OpNode(op.total(), node.inputs, (result,), node.label, node.span, node.specs, node.tie, node.shared, node.parts, node.frozen)
