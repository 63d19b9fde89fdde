"""Count parameters, floating-point operations and memory, for each stage and in total.

The model `input 3 -> dense 2` has 8 parameters. For one sample, it costs 6 multiply-adds, which are 12 operations, and 2 more operations
for the bias:

>>> import netc
>>> totals = summarize_costs(netc.compile("input 3 -> dense 2").program).totals
>>> totals.parameters, totals.multiply_adds, totals.flops
(8, 6, 14)

In: a `Program`. Out: plain records, which netc/ prints. Always: operations and activations are for one sample (`N = 1`), and other
symbolic dimensions stay symbolic. A graph is counted once, however often it is called. Consecutive equal stages are one row with their
number.

Operations are counted for one forward pass in evaluation; a multiply-add counts as two. Multiply-adds are counted only in matrix products
and convolutions, as papers and PyTorch's `FlopCounterMode` count them. Activations are the results of all operators, as training keeps
them.
"""

from __future__ import annotations

from netc.dsl.record import Record, replace
from netc.dsl.source import Span

from ..dims import Dim, format_dim, substitute_symbols
from ..ir.graph import CallNode, Graph, Node, OpNode, Program, SharedModule, has_operator
from ..ir.node_modes import BOTH, find_modes
from ..ir.walk import collect_graphs
from ..ops.mode import ByMode
from ..ops.operator import Operator, numel
from ..types.tensor_types import TensorType
from .state_dict import ParameterInfo, collect_parameters, count_parameters

_ONE_SAMPLE = {"N": 1}


class StageCost(Record):
    """A stage, or `times` equal stages in a row. The numbers are for one of them.

    `label` is the label of the first stage, relative to the row around it. `name` is the name of the operator or block, or the kind of
    another graph. `detail` has the rows inside it. `parameters` counts a shared stage at its first use, a tied parameter with its target,
    and no buffers. The rows in a `scan` have the numbers of all its steps.
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
    """The costs of a model.

    `parameters` is the number of learned numbers; tied and shared parameters count once. `trainable` is the number of them that are not
    frozen. `buffers` is the number of other numbers in the state dict. Operations and activations are for one sample.
    """

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


def summarize_costs(program: Program) -> ModelCost:
    """The stages of the main graph with everything inside them, and the totals."""
    return _make_summary(program, _count_graphs(program))


NodeCosts = dict[int, dict[int, StageCost]]


def compute_node_costs(program: Program) -> NodeCosts:
    """Compute the cost of each node, by the ids of its graph and of the node. Nodes that only switch between modes are missing."""
    return _index_by_node(program, _count_graphs(program))


def summarize_with_nodes(program: Program) -> tuple[ModelCost, NodeCosts]:
    """Compute the summary and the costs of the nodes in one pass."""
    counted = _count_graphs(program)
    return _make_summary(program, counted), _index_by_node(program, counted)


def _make_summary(program: Program, counted: dict[int, _GraphCost]) -> ModelCost:
    main = counted[id(program.main)]
    return ModelCost(main.rows, _sum_totals(collect_parameters(program), main))


def _index_by_node(program: Program, counted: dict[int, _GraphCost]) -> NodeCosts:
    costs: NodeCosts = {}
    for graph in collect_graphs(program.main):
        rows = (row for row in counted[id(graph)].rows for _ in range(row.times))
        # `count_graph` makes no rows for these nodes either, so the two lists run in parallel.
        nodes = (node for node in graph.nodes if not _is_mode_switch(node))
        costs[id(graph)] = {id(node): row for node, row in zip(nodes, rows, strict=True)}
    return costs


def _count_graphs(program: Program) -> dict[int, _GraphCost]:
    """Count the cost of every graph, by its id."""
    counted: dict[int, _GraphCost] = {}
    known: _OperatorCosts = {}
    for graph in collect_graphs(program.main):
        counted[id(graph)] = _GraphCounter(program, graph, counted, known).count_graph()
    return counted


def _is_mode_switch(node: Node) -> bool:
    """Whether the node only chooses between a result for training and a result for evaluation."""
    return has_operator(node, ByMode)


def find_costs_at(program: Program, span: Span) -> list[StageCost]:
    """Find the costs of the stage at a place in the text: a row for each node that was made of it, in all graphs."""
    counted: dict[int, _GraphCost] = {}
    known: _OperatorCosts = {}
    rows: list[StageCost] = []
    for graph in collect_graphs(program.main):
        counter = _GraphCounter(program, graph, counted, known)
        counted[id(graph)] = counter.count_graph()
        rows += [counter.count_node(node) for node in graph.nodes if node.span == span]
    return rows


def _sum_totals(infos: dict[str, ParameterInfo], main: _GraphCost) -> Totals:
    learned = count_parameters(infos)
    distinct = [info for info in infos.values() if info.tied_to is None]
    buffers = sum(info.numel for info in distinct if not info.trainable)
    size = sum(info.numel * info.dtype.size for info in distinct)
    trained = learned - count_parameters({info.name: info for info in distinct if info.frozen})
    return Totals(learned, trained, buffers, size, main.flops, main.multiply_adds, main.activation_bytes)


class _GraphCost(Record):
    """A graph's cost. `borrowed` are the parameters of each of its `modules`, as far as they are used inside."""

    rows: tuple[StageCost, ...]
    parameters: int
    flops: Dim
    multiply_adds: Dim
    activation_bytes: Dim
    borrowed: tuple[int, ...]


_OperatorCosts = dict[tuple[Operator, tuple[TensorType, ...]], tuple[Dim, Dim, Dim]]
"""The operations, multiply-adds and bytes of the results of an operator on inputs of certain types."""


class _GraphCounter:
    """One graph, its nodes in order."""

    def __init__(self, program: Program, graph: Graph, counted: dict[int, _GraphCost], known: _OperatorCosts) -> None:
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

    def count_graph(self) -> _GraphCost:
        previous: Node | None = None
        row: StageCost | None = None
        times = 0
        previous_modes = BOTH
        for node, when in zip(self.graph.nodes, find_modes(self.graph), strict=True):
            if _is_mode_switch(node):
                continue
            same = previous is not None and when == previous_modes and is_same_stage(previous, node)
            # Parameters of a shared or tied stage count at its first use only, so that its cost differs between equal uses.
            known = row if same and previous is not None and _owns_parameters(previous) and _owns_parameters(node) else None
            cost = known or self.count_node(node)
            # Costs are for evaluation: the operations of a stage that only training needs do not count, its parameters do.
            if False not in when:
                cost = replace(cost, flops=0, multiply_adds=0)
            previous_modes = when
            self.parameters += cost.parameters
            self.flops = self.flops + cost.flops
            self.multiply_adds = self.multiply_adds + cost.multiply_adds
            self.activation_bytes = self.activation_bytes + cost.activation_bytes
            if row is not None and same and cost.parameters == row.parameters:
                times += 1
            else:
                self._add_row(row, times)
                row, times = cost, 1
            previous = node
        self._add_row(row, times)
        borrowed = tuple(self.modules.get(id(m), 0) for m in self.graph.modules)
        return _GraphCost(tuple(self.rows), self.parameters, self.flops, self.multiply_adds, self.activation_bytes, borrowed)

    def count_node(self, node: Node) -> StageCost:
        """The cost of one node, at this point of the graph."""
        return self._count_operator(node) if isinstance(node, OpNode) else self._count_call(node)

    def _add_row(self, row: StageCost | None, times: int) -> None:
        if row is not None:
            self.rows.append(row if times == 1 else _repeat_row(row, times))

    def _count_operator(self, node: OpNode) -> StageCost:
        results = tuple([v.type for v in node.outputs])
        # A deep model has thousands of nodes with the same operator and types, and some count their definition, which
        # is slow.
        kind = node.op, tuple([v.type for v in node.inputs])
        computing = self.known.get(kind)
        if computing is None:
            computing = self.known[kind] = self._count_computation(*kind, results)
        learned = sum(_learned_sizes(node))
        return StageCost(node.label, node.op.name, results, self._add_shared(node.shared, learned), *computing)

    def _count_computation(self, op: Operator, types: tuple[TensorType, ...], results: tuple[TensorType, ...]) -> tuple[Dim, Dim, Dim]:
        inputs = op.bind_inputs(types, self.program.facts)
        memory: Dim = 0
        for type in results:
            memory = memory + numel(type.shape) * type.dtype.size
        return per_sample(op.count_flops(inputs, results)), per_sample(op.count_multiply_adds(inputs, results)), per_sample(memory)

    def _count_call(self, node: CallNode) -> StageCost:
        inner = self.counted[id(node.graph)]
        if node.scan is not None:
            inner = _multiply_graph(inner, per_sample(node.scan.length))
        parameters = self._add_shared(node.shared, inner.parameters)
        for module, borrowed in zip(node.modules, inner.borrowed, strict=True):
            parameters += self._add_shared(module, borrowed)
        results = tuple(v.type for v in node.outputs)
        graph = node.graph
        # A repeat or a group has no name that its author knows, only the kind.
        name = graph.name if graph.kind == "block" else graph.kind
        return StageCost(node.label, name, results, parameters, inner.flops, inner.multiply_adds, inner.activation_bytes, 1, inner.rows)

    def _add_shared(self, module: SharedModule | None, parameters: int) -> int:
        """Return the parameters that a use adds to this graph. A shared stage counts at its first use, in the graph that declares it."""
        if module is None:
            return parameters
        # Not `in`: a module that was passed to a block without a use of it has counted 0 so far.
        if self.modules.get(id(module)):
            return 0
        self.modules[id(module)] = parameters
        return parameters if id(module) in self.declared else 0


def _multiply_graph(step: _GraphCost, length: Dim) -> _GraphCost:
    """Multiply the cost of one step of a loop by the number of steps. The steps share their parameters."""
    rows = tuple(_multiply_steps(row, length) for row in step.rows)
    flops, multiply_adds, memory = (length * cost for cost in (step.flops, step.multiply_adds, step.activation_bytes))
    return replace(step, rows=rows, flops=flops, multiply_adds=multiply_adds, activation_bytes=memory)


def _multiply_steps(row: StageCost, length: Dim) -> StageCost:
    flops, multiply_adds, memory = (length * item for item in (row.flops, row.multiply_adds, row.activation_bytes))
    detail = tuple(_multiply_steps(item, length) for item in row.detail)
    return replace(row, flops=flops, multiply_adds=multiply_adds, activation_bytes=memory, detail=detail)


def per_sample(d: Dim) -> Dim:
    """Substitute 1 for the size of the batch."""
    return d if isinstance(d, int) else substitute_symbols(d, _ONE_SAMPLE)


def _learned_sizes(node: OpNode) -> list[int]:
    # A tied parameter counts with the stage that it is tied to.
    tied = node.tie.name if node.tie is not None else None
    return [_parameter_numel(spec.shape) for spec in node.specs if spec.trainable and spec.name != tied]


def _parameter_numel(shape: tuple[Dim, ...]) -> int:
    size = numel(shape)
    if not isinstance(size, int):
        raise ValueError(f"the size of a parameter depends on the input: {format_dim(size)}")
    return size


def is_same_stage(a: Node, b: Node) -> bool:
    """Whether two stages compute and cost the same, apart from parameters that they share with other stages."""
    if isinstance(a, CallNode) or isinstance(b, CallNode):
        return isinstance(a, CallNode) and isinstance(b, CallNode) and a.graph is b.graph
    return (a.op is b.op or a.op == b.op) and [v.type for v in a.inputs] == [v.type for v in b.inputs]


def _owns_parameters(node: Node) -> bool:
    """Whether the stage has all its parameters for itself: none is shared or tied."""
    return node.shared is None and (not node.modules if isinstance(node, CallNode) else node.tie is None)


def _repeat_row(row: StageCost, times: int) -> StageCost:
    return replace(row, times=times)
