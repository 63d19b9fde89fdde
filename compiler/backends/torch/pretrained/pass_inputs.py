"""Add inputs to graphs, and pass them on from the model's graph to the graphs that need them.

In: the graphs of a program, called graphs first, and an input with the graphs that use it. Out: the same graphs, changed: each graph on the
way takes the input last, as if the spec had captured it. Always: a graph gets the input once, however often it is called.

Also: give tensors their types again, once some of them have a batch axis in front that they did not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

from ....dims import Facts
from ....ir.graph import CallNode, Graph, OpNode, has_operator
from ....ir.graph_values import Value
from ...python.lowering.lowered_operators import LoweredOperator


def pass_input(order: Sequence[Graph], needing: Iterable[Graph], make: Callable[[Graph], Value]) -> dict[int, Value]:
    """Give an input to the graphs in `needing`, and to all graphs that call them. Return the input of each, by the graph's id."""
    wanted = {id(graph) for graph in needing}
    values: dict[int, Value] = {}
    for graph in order:
        calls = [node for node in graph.nodes if isinstance(node, CallNode) and id(node.graph) in values]
        if id(graph) not in wanted and not calls:
            continue
        value = values[id(graph)] = make(graph)
        graph.inputs.append(value)
        graph.captures += graph is not order[-1]
        for call in calls:
            call.inputs = (*call.inputs, value)
    return values


def drop_unused_inputs(order: Sequence[Graph]) -> None:
    """Remove operators without effect, and inputs of called graphs that nothing takes, until none is left. Callers come last."""
    changed = True
    while changed:
        changed = False
        callers: dict[int, list[CallNode]] = {}
        for graph in reversed(order):
            used = {id(v) for v in graph.outputs} | {id(v) for node in graph.nodes for v in node.inputs}
            kept = [n for n in graph.nodes if not _is_dead(n, used)]
            changed |= len(kept) < len(graph.nodes)
            graph.nodes = kept
            for node in kept:
                if isinstance(node, CallNode):
                    callers.setdefault(id(node.graph), []).append(node)
        for graph in order[:-1]:
            used = {id(v) for v in graph.outputs} | {id(v) for node in graph.nodes for v in node.inputs}
            for value in [v for v in graph.inputs if id(v) not in used]:
                _drop_input(graph, value, callers.get(id(graph), []))
                changed = True


def _is_dead(node: OpNode | CallNode, used: set[int]) -> bool:
    has_state = isinstance(node, CallNode) or bool(node.specs)
    return not has_state and not any(id(v) in used for v in node.outputs)


def _drop_input(graph: Graph, value: Value, calls: Iterable[CallNode]) -> None:
    position = next(index for index, v in enumerate(graph.inputs) if v is value)
    graph.captures -= position >= len(graph.inputs) - graph.captures
    del graph.inputs[position]
    for call in calls:
        call.inputs = (*call.inputs[:position], *call.inputs[position + 1 :])


def retype_values(graph: Graph, changed: set[int], facts: Facts) -> None:
    """Infer types again from inputs whose ids are in `changed`: their types have a batch axis more than before. Called graphs follow."""
    for node in graph.nodes:
        if not any(id(v) in changed for v in node.inputs):
            continue
        if has_operator(node, LoweredOperator):
            continue
        if isinstance(node, OpNode):
            types = node.op.infer_types(node.op.bind_inputs(tuple(v.type for v in node.inputs), facts))
            for output, inferred in zip(node.outputs, types, strict=True):
                if output.type.rank != inferred.rank:
                    output.type = inferred
                    changed.add(id(output))
            continue
        for outer, inner in zip(node.inputs, node.graph.inputs, strict=True):
            extra = outer.type.rank - inner.type.rank
            if id(outer) in changed and extra > 0:
                inner.type = inner.type.with_shape((*outer.type.shape[:extra], *inner.type.shape))
            if id(outer) in changed:
                changed.add(id(inner))
        retype_values(node.graph, changed, facts)
        for outer, inner in zip(node.outputs, node.graph.outputs, strict=True):
            extra = inner.type.rank - outer.type.rank
            if extra > 0:
                outer.type = outer.type.with_shape((*inner.type.shape[:extra], *outer.type.shape))
            if id(inner) in changed:
                changed.add(id(outer))
