"""Finds loops over time, which torch.export writes out step by step.

    for t in range(x.shape[1]):                  select 1 0, gru_cell, select 1 1, gru_cell, select 1 2, gru_cell, stack 1
        h = self.cell(x[:, t], h)
        hidden.append(h)
    return torch.stack(hidden, 1)

In: a program. Out: the same program, in which the steps are one call of a graph: a `scan` in the text. Always: keys stay as they are. All
steps apply the same operators to the same tensors, to results of the step before, and to one position each of the same axis. No node and no
tensor changes, so that the change can be undone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ...dims import Facts
from ...ir.graph import CallNode, Graph, Node, OpNode, Program, SharedModule
from ...ir.graph_values import Value
from ...ir.walk import collect_graphs
from ...ops.joining import Concat, Stack
from ...ops.operator import strict_key
from ...ops.shape import Unsqueeze
from ...ops.slicing import Select
from .dead_code import count_operators, drop_nodes, has_keys
from .step_roles import LEAST, TimeLoop, find_selected_position, match_loop
from .step_scans import replace_loop

MOST_DISTANCES = 8
"""The most operators of one kind in a step, if the step's length is to be found from the distances between them."""
MOST_PERIODS = 200
"""The most step lengths that are tried in a graph: each costs a pass over its nodes."""


def fold_time_loops(program: Program) -> Callable[[], None] | None:
    """Replace each loop by a `scan`. Returns a function that undoes it, or None if there is no loop."""
    before: list[tuple[Graph, list[Node], list[SharedModule]]] = []
    for graph in collect_graphs(program.main):
        saved = graph, graph.nodes, graph.declares
        if graph.kind != "scan" and _fold_loops(graph, program.facts):
            before.append(saved)
    if not before:
        return None
    count_operators(program.main)

    def undo() -> None:
        for graph, nodes, declares in before:
            graph.nodes, graph.declares = nodes, declares
        count_operators(program.main)

    return undo


def _fold_loops(graph: Graph, facts: Facts) -> bool:
    """Replace the loops of a graph. Returns whether there was one."""
    makers = {id(value): node for node in graph.nodes for value in node.outputs}
    nodes = [_concat_to_stack(node, makers) for node in graph.nodes]
    has_folded = False
    while True:
        replacement = next(
            (replacement for loop in _find_loops(nodes) if (replacement := replace_loop(graph, nodes, loop, facts)) is not None), None
        )
        if replacement is None:
            return has_folded
        graph.nodes, graph.declares = replacement
        drop_nodes(graph)
        nodes, has_folded = graph.nodes, True


def _concat_to_stack(node: Node, makers: dict[int, Node]) -> Node:
    """Return a `concat` of unsqueezed tensors as a `stack`, and any other node as it is."""
    if not isinstance(node, OpNode) or not isinstance(node.op, Concat):
        return node
    rank = node.outputs[0].type.rank
    axis = node.op.args["axis"] % rank
    parts: list[Value] = []
    for value in node.inputs:
        maker = makers.get(id(value))
        if not isinstance(maker, OpNode) or not isinstance(maker.op, Unsqueeze) or maker.op.args["axis"] % rank != axis:
            return node
        parts.append(maker.inputs[0])
    return OpNode(Stack(axis=axis), tuple(parts), node.outputs, node.label, node.span, ())


def _find_loops(nodes: Sequence[Node]) -> Iterator[TimeLoop]:
    """Yield the loops that the nodes may be, the best one of each repeating run first.

    Nodes without inputs are left out: a parameter is read only once, when the first step needs it, so it would break the period.
    """
    sequence = [node for node in nodes if node.inputs]
    numbers: dict[object, int] = {}
    kinds = [numbers.setdefault(_make_node_key(node), len(numbers)) for node in sequence]
    for start, period, end in _find_repeating_runs(kinds):
        candidates: list[tuple[tuple[int, ...], TimeLoop]] = []
        # A run repeats from any of its nodes on, and only some of them begin a step.
        for shift in range(period):
            full, remaining = divmod(end - start - shift, period)
            if full < LEAST - 1:
                break
            loop = match_loop(nodes, sequence, kinds, start + shift, period, full)
            if loop is not None:
                # Most steps first. Of the same number, the loop that leaves fewest nodes over and carries fewest states.
                candidates.append(((-loop.count, 0 if loop.is_last_partial else remaining, len(loop.states), shift), loop))
        yield from (loop for _, loop in sorted(candidates, key=lambda candidate: candidate[0]))


def _find_repeating_runs(kinds: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Yield the start, the period and the end of each longest run in which the kinds repeat, short periods first."""
    places: dict[int, list[int]] = {}
    for index, kind in enumerate(kinds):
        places.setdefault(kind, []).append(index)
    periods: set[int] = set()
    for indices in places.values():
        if len(indices) >= LEAST:
            # Distances at the beginning and in the middle: the first step may differ from the others, and other code may use the same
            # operator earlier.
            middle = len(indices) // 2
            # One step may have several operators of a kind, so the period is one of the distances to the next few.
            for distance in range(1, min(MOST_DISTANCES, len(indices) - middle - 1) + 1):
                periods |= {indices[distance] - indices[0], indices[middle + distance] - indices[middle]}
    for period in sorted(periods)[:MOST_PERIODS]:
        start = 0
        for index in range(len(kinds) - period + 1):
            if index == len(kinds) - period or kinds[index] != kinds[index + period]:
                if index - start >= period:
                    yield start, period, index + period
                start = index + 1


def _make_node_key(node: Node) -> object:
    """Return a key that is equal for nodes that may correspond in two steps. A node with parameters of its own equals no other."""
    shared = None if node.shared is None else id(node.shared)
    if isinstance(node, CallNode):
        # A fresh object equals nothing, so such a node ends every run.
        if node.scan is not None or node.modules or node.tuples or node.tails or (shared is None and has_keys(node)):
            return object()
        computation: object = shared or _compute_signature(node.graph)
    elif node.tie is not None or (shared is None and has_keys(node)):
        return object()
    else:
        computation = _make_operator_key(node), shared
    return computation, tuple(_make_type_key(value) for value in (*node.inputs, *node.outputs))


def _make_operator_key(node: OpNode) -> object:
    """Return the operator and its arguments, without the position that it selects."""
    position = find_selected_position(node)
    if position is not None:
        return Select, position.axis, position.kept
    return type(node.op), repr({name: strict_key(value) for name, value in node.op.args.items()})


def _compute_signature(graph: Graph) -> object:
    """Return a key that is equal for graphs without parameters that compute the same."""
    places = {id(value): (0, number_of_node) for number_of_node, value in enumerate(graph.inputs)}
    keys: list[object] = []
    for number_of_node, node in enumerate(graph.nodes, 1):
        what = _compute_signature(node.graph) if isinstance(node, CallNode) else repr((type(node.op), node.op.args))
        keys.append((what, tuple(places.get(id(value)) for value in node.inputs)))
        places |= {id(value): (number_of_node, number) for number, value in enumerate(node.outputs)}
    return tuple(keys), tuple(places.get(id(value)) for value in graph.outputs)


def _make_type_key(value: Value) -> object:
    return value.type.dtype, value.type.shape
