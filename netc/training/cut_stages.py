"""Cut a model into stages for pipeline parallelism, between the iterations of a `repeat`.

In: a train section, and the number of stages. Out: a program for each stage, with the keys of the model, and the values that cross each
cut. Always: the stages together compute the model. A value crosses one cut, from a stage to the next. Nodes without parameters and random
numbers, such as masks and tables of positions, are computed by each stage that needs them. A model that cannot be cut is a `RunError`.

For example, `embedding -> repeat 4 as layers { layer } -> dense` in two stages has `embedding` and the layers 0 and 1 in the first stage,
and the layers 2 and 3 and `dense` in the second one, if these cost about the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from copy import copy
from itertools import pairwise

from netc.compiler.analysis.model_cost import compute_node_costs
from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.dims import Dim, free_symbols, substitute_symbols
from netc.compiler.errors.run_errors import NoDevice, RunError
from netc.compiler.ir.differentiated_values import has_gradients
from netc.compiler.ir.graph import CallNode, Graph, Node, OpNode, Program
from netc.compiler.ir.graph_values import Value
from netc.compiler.ir.inline_calls import can_inline, inline_call
from netc.compiler.ir.training_program import MODEL, Training
from netc.compiler.ir.walk import collect_graphs, find_needed_nodes
from netc.dsl.record import Record

from .source.file_assembly import extract_model_program

_USUAL_SIZE = 128
"""The size of symbolic axes when costs of stages are compared."""


class Stage(Record):
    """A part of a model. `program` takes the inputs of the model whose positions are in `inputs`, then `received` values of the stage
    before. Its outputs are the values for the next stage, or the outputs of the model. `cost` is its share of the operations of a step."""

    program: Program
    inputs: tuple[int, ...]
    received: int
    cost: float
    first_label: str


def cut_stages(training: Training, count: int) -> tuple[Stage, ...]:
    """Cut the model of a section into stages. Raises `RunError`."""
    _refuse_section(training, count)
    program = extract_model_program(training)
    graph, cuts = _inline_repeats(program, count)
    chosen = _choose_cuts(graph, program, cuts, count)
    return tuple(_make_stage(graph, program, start, stop) for start, stop in pairwise((0, *chosen, len(graph.nodes))))


def _refuse_section(training: Training, count: int) -> None:
    """Refuse a section whose loss needs more of the model than its outputs."""
    main, model = training.program.main, training.model_call.graph
    others = [node for node in main.nodes if node.label != MODEL]
    if has_gradients(main, model):
        raise _refusal(count, "the loss or the model has a `gradient`, which needs the whole model")
    if model.training_outputs is not None:
        raise _refusal(count, "the model has other outputs in training than in evaluation")
    if any(isinstance(node, OpNode) and node.op.may_draw for node in others):
        raise _refusal(count, "the train section draws random numbers outside of the model", "draw them by `input ... = random`")
    tied = next((info for info in collect_parameters(extract_model_program(training)).values() if info.tied_to), None)
    if tied is not None:
        raise _refusal(count, f"`{tied.name}` is tied to `{tied.tied_to}`, which may be in another stage")
    if any(graph.declares or graph.modules for graph in collect_graphs(model)):
        raise _refusal(count, "the model has `shared` stages, whose parameters may be used in several processes")


def _refusal(count: int, why: str, remedy: str = "use `--strategy fsdp`, which divides the parameters of any model") -> RunError:
    return RunError(NoDevice(f"`--pp {count}` cannot cut this model: {why}", remedy))


def _inline_repeats(program: Program, count: int) -> tuple[Graph, list[int]]:
    """Replace the longest chain of iterations by its iterations. Return the graph and the positions before and after each of them."""
    graph = copy(program.main)
    # copies, because inlining may change the inputs of nodes
    graph.nodes, graph.outputs = [copy(node) for node in graph.nodes], list(graph.outputs)
    chains = [node for node in graph.nodes if isinstance(node, CallNode) and node.graph.kind == "sequence" and can_inline(node)]
    chain = max(chains, key=lambda call: len(call.graph.nodes), default=None)
    if chain is None or len(chain.graph.nodes) < 2:
        raise _refusal(count, "it has no `repeat` at its top level")
    start, length = graph.nodes.index(chain), len(chain.graph.nodes)
    inline_call(graph, chain)
    return graph, list(range(start, start + length + 1))


def _choose_cuts(graph: Graph, program: Program, cuts: list[int], count: int) -> tuple[int, ...]:
    """Choose the cuts for which the most expensive stage costs least. Raises `RunError`."""
    free = _find_free_values(graph)
    learned = [_has_parameters(node) for node in graph.nodes]
    usable = [cut for cut in cuts if any(learned[:cut]) and any(learned[cut:]) and _crossing_values(graph, cut, free)]
    if len(usable) < count - 1:
        raise _refusal(count, f"its `repeat` can be cut in {len(usable)} places", f"pass at most `--pp {len(usable) + 1}`")
    costs = _measure_nodes(graph, program)
    chosen = _balance_cuts(costs, usable, count)
    values = [_crossing_values(graph, cut, free) for cut in chosen]
    for before, after in pairwise(values):
        skipping = next((value for value in after if any(value is other for other in before)), None)
        if skipping is not None:
            name = f"`{skipping.name}`" if skipping.name else "a value"
            raise _refusal(count, f"{name} is computed before the `repeat` and used after or inside of it, in more than the next stage")
    for value in (value for crossing in values for value in crossing):
        if not value.type.dtype.is_float:
            raise _refusal(count, f"`{value.name or 'a value'}` crosses a cut and has the type {value.type.dtype}, which has no gradient")
    outputs = {id(value) for value in graph.outputs}
    if any(id(value) in outputs for node in graph.nodes[: chosen[-1]] for value in node.outputs):
        raise _refusal(count, "an output of the model, or a tensor that the loss uses, is computed in an inner stage")
    return chosen


def _balance_cuts(costs: Sequence[float], cuts: Sequence[int], count: int) -> tuple[int, ...]:
    """Choose `count - 1` of the cuts so that the largest sum of costs between them is the smallest."""
    # best[cut]: the smallest largest cost of the stages up to this cut, and the cuts before it
    best: dict[int, tuple[float, tuple[int, ...]]] = {cut: (sum(costs[:cut]), (cut,)) for cut in cuts}
    for _ in range(count - 2):
        best = {
            cut: min((max(largest, sum(costs[before:cut])), (*chosen, cut)) for before, (largest, chosen) in best.items() if before < cut)
            for cut in cuts
            if any(before < cut for before in best)
        }
    return min((max(largest, sum(costs[cut:])), chosen) for cut, (largest, chosen) in best.items())[1]


def _measure_nodes(graph: Graph, program: Program) -> list[float]:
    """Return the operations of each node for one sample, as `netc summary` counts them, and 1 more."""
    counted = compute_node_costs(Program(graph, program.facts, program.symbols, program.conditions, program.dims))[id(graph)]
    return [1 + _estimate_size(counted[id(node)].flops) if id(node) in counted else 1.0 for node in graph.nodes]


def _estimate_size(dim: Dim) -> float:
    if isinstance(dim, int):
        return float(dim)
    value = substitute_symbols(dim, dict.fromkeys(free_symbols(dim), _USUAL_SIZE))
    return float(value) if isinstance(value, int) else 0.0


def _find_free_values(graph: Graph) -> set[int]:
    """Find the values that depend on inputs only: no parameters and no random numbers."""
    free = {id(value) for value in graph.inputs}
    for node in graph.nodes:
        if not _has_parameters(node) and not _may_draw(node) and all(id(value) in free for value in node.inputs):
            free.update(id(value) for value in node.outputs)
    return free


def _crossing_values(graph: Graph, cut: int, free: set[int]) -> list[Value]:
    """Return the values that are computed before a cut and needed after it, each once."""
    before = {id(value) for node in graph.nodes[:cut] for value in node.outputs} - free
    used = [value for node in graph.nodes[cut:] for value in node.inputs] + graph.outputs
    return list({id(value): value for value in used if id(value) in before}.values())


def _has_parameters(node: Node) -> bool:
    return any(inner.specs for inner in _iterate_operators(node))


def _may_draw(node: Node) -> bool:
    return any(inner.op.may_draw for inner in _iterate_operators(node))


def _iterate_operators(node: Node) -> Iterator[OpNode]:
    if isinstance(node, OpNode):
        yield node
        return
    for graph in collect_graphs(node.graph):
        yield from (inner for inner in graph.nodes if isinstance(inner, OpNode))


def _make_stage(graph: Graph, program: Program, start: int, stop: int) -> Stage:
    free = _find_free_values(graph)
    own = graph.nodes[start:stop]
    results = graph.outputs if stop == len(graph.nodes) else _crossing_values(graph, stop, free)
    received = _crossing_values(graph, start, free) if start else []
    used = [value for node in own for value in node.inputs] + list(results)
    computed_here = {id(value) for node in own for value in node.outputs}
    before = [node for node in graph.nodes[:start] if all(id(value) in free for value in node.outputs)]
    repeated = find_needed_nodes(before, [value for value in used if id(value) in free and id(value) not in computed_here])
    nodes = [*repeated, *own]
    needed = {id(value) for node in nodes for value in node.inputs} | {id(value) for value in results}
    inputs = [number for number, value in enumerate(graph.inputs) if id(value) in needed]
    main = Graph(program.main.name, "model", graph.span)
    main.inputs, main.nodes, main.outputs = [*(graph.inputs[number] for number in inputs), *received], nodes, list(results)
    main.output_names = [value.name or f"value{number}" for number, value in enumerate(results)]
    main.size = graph.size
    costs = _measure_nodes(graph, program)
    cost = sum(costs[start:stop]) / sum(costs)
    cut = Program(main, program.facts, program.symbols, program.conditions, program.dims)
    return Stage(cut, tuple(inputs), len(received), cost, own[0].label)
