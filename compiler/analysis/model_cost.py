"""What a model costs: parameters, floating-point operations and memory, as a tree of its stages and in total.

In: a `Program`. Out: plain records; printing them is left to netc/. Always: operations and activations are for one sample (`N = 1`), other
symbolic dimensions stay; a graph is counted once, however often it is called; runs of equal stages are one row with their number.

Operations are for one forward pass in evaluation, a multiply-add counting two. Multiply-adds are those of matrix products and
convolutions alone: what papers and PyTorch's counter count. Activations are the results of all operators, as training keeps them.
"""

from __future__ import annotations

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..dims import Dim, format_dim, substitute_symbols
from ..ir.graph import CallNode, Graph, Node, OpNode, Program, SharedModule, applies
from ..ir.node_modes import BOTH, modes
from ..ir.walk import graphs
from ..ops.mode import ByMode
from ..ops.operator import Operator, numel
from ..types.tensor_types import TensorType
from .state_dict import ParameterInfo, count, parameters

_ONE_SAMPLE = {"N": 1}


class StageCost(Record):
    """A stage, or `times` equal ones in a row; the numbers are those of one of them.

    `label` is that of the first, relative to the row around it. `name` is the operator's or the block's, or the kind of another graph;
    `detail` rows are what is inside. `parameters` counts a shared stage where it is used first, a tied parameter with its target; buffers
    not at all. The rows in a `scan` have the numbers of all its steps.
    """

    label: str
    name: str
    results: tuple[TensorType, ...]
    parameters: int
    flops: Dim
    multiply_adds: Dim
    activation_bytes: Dim
    times: int = 1
    detail: tuple[StageCost, ...] = ()


class Totals(Record):
    """Of the whole model. `parameters` are learned numbers, tied and shared ones once, of which `trainable` may change; `buffers` are the
    other numbers in the state dict. Operations and activations are for one sample."""

    parameters: int
    trainable: int
    buffers: int
    parameter_bytes: int
    flops: Dim
    multiply_adds: Dim
    activation_bytes: Dim


class ModelCost(Record):
    rows: tuple[StageCost, ...]
    totals: Totals


def summary(program: Program) -> ModelCost:
    """The stages of the main graph with everything inside them, and the totals."""
    return _summary(program, _count(program))


NodeCosts = dict[int, dict[int, StageCost]]


def node_costs(program: Program) -> NodeCosts:
    """For each graph, by its identity, the cost of each of its nodes, by the node's. Of nodes that cost nothing, some are missing."""
    return _by_node(program, _count(program))


def summary_and_nodes(program: Program) -> tuple[ModelCost, NodeCosts]:
    """Both, counted once."""
    counted = _count(program)
    return _summary(program, counted), _by_node(program, counted)


def _summary(program: Program, counted: dict[int, _Counted]) -> ModelCost:
    main = counted[id(program.main)]
    return ModelCost(main.rows, _totals(parameters(program), main))


def _by_node(program: Program, counted: dict[int, _Counted]) -> NodeCosts:
    found: NodeCosts = {}
    for graph in graphs(program.main):
        rows = (row for row in counted[id(graph)].rows for _ in range(row.times))
        nodes = (node for node in graph.nodes if not _by_mode(node))
        found[id(graph)] = {id(node): row for node, row in zip(nodes, rows, strict=True)}
    return found


def _count(program: Program) -> dict[int, _Counted]:
    """Every graph's cost, by its identity."""
    counted: dict[int, _Counted] = {}
    known: _Known = {}
    for graph in graphs(program.main):
        counted[id(graph)] = _Counter(program, graph, counted, known).run()
    return counted


def _by_mode(node: Node) -> bool:
    """Whether the node only chooses between what training and evaluation compute."""
    return applies(node, ByMode)


def costs_at(program: Program, span: Span) -> list[StageCost]:
    """What the stage with this text costs: a row for each node that was made of it, in graphs that are called once or often."""
    counted: dict[int, _Counted] = {}
    known: _Known = {}
    found: list[StageCost] = []
    for graph in graphs(program.main):
        counter = _Counter(program, graph, counted, known)
        counted[id(graph)] = counter.run()
        found += [counter.row(node) for node in graph.nodes if node.span == span]
    return found


def _totals(infos: dict[str, ParameterInfo], main: _Counted) -> Totals:
    learned = count(infos)
    kept = [info for info in infos.values() if info.tied_to is None]
    buffers = sum(info.numel for info in kept if not info.trainable)
    size = sum(info.numel * info.dtype.size for info in kept)
    trained = learned - count({info.name: info for info in kept if info.frozen})
    return Totals(learned, trained, buffers, size, main.flops, main.multiply_adds, main.activation_bytes)


class _Counted(Record):
    """A graph's cost. `borrowed` are the parameters of each of its `modules`, as far as they are used inside."""

    rows: tuple[StageCost, ...]
    parameters: int
    flops: Dim
    multiply_adds: Dim
    activation_bytes: Dim
    borrowed: tuple[int, ...]


_Known = dict[tuple[Operator, tuple[TensorType, ...]], tuple[Dim, Dim, Dim]]
"""Of operators on inputs of these types: operations, multiply-adds, and the bytes of the results."""


class _Counter:
    """One graph, its nodes in order."""

    def __init__(self, program: Program, graph: Graph, counted: dict[int, _Counted], known: _Known) -> None:
        self.program = program
        self.graph = graph
        self.counted = counted
        self.known = known
        self.declared = {id(m) for m in graph.declares}
        self.modules: dict[int, int] = {}
        """Parameters of the shared stages that have been met."""
        self.rows: list[StageCost] = []
        self.parameters = 0
        self.flops: Dim = 0
        self.multiply_adds: Dim = 0
        self.activation_bytes: Dim = 0

    def run(self) -> _Counted:
        before: Node | None = None
        row: StageCost | None = None
        times = 0
        earlier = BOTH
        for node, when in zip(self.graph.nodes, modes(self.graph), strict=True):
            if _by_mode(node):
                continue
            same = before is not None and when == earlier and same_stage(before, node)
            known = row if same and before is not None and _alone(before) and _alone(node) else None
            found = known or self.row(node)
            if False not in when:
                found = replace(found, flops=0, multiply_adds=0)
            earlier = when
            self.parameters += found.parameters
            self.flops = self.flops + found.flops
            self.multiply_adds = self.multiply_adds + found.multiply_adds
            self.activation_bytes = self.activation_bytes + found.activation_bytes
            if row is not None and same and found.parameters == row.parameters:
                times += 1
            else:
                self._keep(row, times)
                row, times = found, 1
            before = node
        self._keep(row, times)
        borrowed = tuple(self.modules.get(id(m), 0) for m in self.graph.modules)
        return _Counted(tuple(self.rows), self.parameters, self.flops, self.multiply_adds, self.activation_bytes, borrowed)

    def row(self, node: Node) -> StageCost:
        """The cost of one node, at this point of the graph."""
        return self._operator(node) if isinstance(node, OpNode) else self._call(node)

    def _keep(self, row: StageCost | None, times: int) -> None:
        if row is not None:
            self.rows.append(row if times == 1 else _times(row, times))

    def _operator(self, node: OpNode) -> StageCost:
        results = tuple([v.type for v in node.outputs])
        kind = node.op, tuple([v.type for v in node.inputs])
        computing = self.known.get(kind)
        if computing is None:
            computing = self.known[kind] = self._computing(*kind, results)
        own = sum(_learned(node))
        return StageCost(node.label, node.op.name, results, self._shared(node.shared, own), *computing)

    def _computing(self, op: Operator, types: tuple[TensorType, ...], results: tuple[TensorType, ...]) -> tuple[Dim, Dim, Dim]:
        given = op.bind(types, self.program.facts)
        memory: Dim = 0
        for type in results:
            memory = memory + numel(type.shape) * type.dtype.size
        return per_sample(op.flops(given, results)), per_sample(op.multiply_adds(given, results)), per_sample(memory)

    def _call(self, node: CallNode) -> StageCost:
        inner = self.counted[id(node.graph)]
        if node.scan is not None:
            inner = _every_step(inner, per_sample(node.scan.length))
        own = self._shared(node.shared, inner.parameters)
        for module, borrowed in zip(node.modules, inner.borrowed, strict=True):
            own += self._shared(module, borrowed)
        results = tuple(v.type for v in node.outputs)
        graph = node.graph
        name = graph.name if graph.kind == "block" else graph.kind
        return StageCost(node.label, name, results, own, inner.flops, inner.multiply_adds, inner.activation_bytes, 1, inner.rows)

    def _shared(self, module: SharedModule | None, parameters: int) -> int:
        """What a use adds to the parameters of this graph: a shared stage counts at its first use, in the graph that declares it."""
        if module is None:
            return parameters
        if self.modules.get(id(module)):
            return 0
        self.modules[id(module)] = parameters
        return parameters if id(module) in self.declared else 0


def _every_step(step: _Counted, length: Dim) -> _Counted:
    """What all steps of a loop cost. They share their parameters."""
    rows = tuple(_longer(row, length) for row in step.rows)
    flops, multiply_adds, memory = (length * one for one in (step.flops, step.multiply_adds, step.activation_bytes))
    return replace(step, rows=rows, flops=flops, multiply_adds=multiply_adds, activation_bytes=memory)


def _longer(row: StageCost, length: Dim) -> StageCost:
    flops, multiply_adds, memory = (length * one for one in (row.flops, row.multiply_adds, row.activation_bytes))
    detail = tuple(_longer(one, length) for one in row.detail)
    return replace(row, flops=flops, multiply_adds=multiply_adds, activation_bytes=memory, detail=detail)


def per_sample(d: Dim) -> Dim:
    """The same for a batch of one."""
    return d if isinstance(d, int) else substitute_symbols(d, _ONE_SAMPLE)


def _learned(node: OpNode) -> list[int]:
    tied = node.tie.name if node.tie is not None else None
    return [_size(spec.shape) for spec in node.specs if spec.trainable and spec.name != tied]


def _size(shape: tuple[Dim, ...]) -> int:
    size = numel(shape)
    if not isinstance(size, int):
        raise ValueError(f"the size of a parameter depends on the input: {format_dim(size)}")
    return size


def same_stage(a: Node, b: Node) -> bool:
    """Whether two stages do and cost the same, but for parameters that are not their own."""
    if isinstance(a, CallNode) or isinstance(b, CallNode):
        return isinstance(a, CallNode) and isinstance(b, CallNode) and a.graph is b.graph
    return (a.op is b.op or a.op == b.op) and [v.type for v in a.inputs] == [v.type for v in b.inputs]


def _alone(node: Node) -> bool:
    """Whether all parameters of the stage are its own."""
    return node.shared is None and (not node.modules if isinstance(node, CallNode) else node.tie is None)


def _times(row: StageCost, times: int) -> StageCost:
    return replace(row, times=times)
