"""Builds loops that run at run time: a `scan`, whose graph runs for each position of an axis.

In: an emitter, the start values of the states, the tensors to scan with their axes, and a function that builds one step. Out: the last
states, and the stacked results of the steps. Always: tensors from outside are captured, tables and constants are made outside of the loop,
and the parameters of a step belong to the loop alone.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ...dims import Dim
from ...ir.graph import CallNode, Graph, OpNode, Scan
from ...ir.graph_values import Value
from ..graph_builder import GraphBuilder, ImportRefused
from .emitter import Emitter

StepBuilder = Callable[[list[Value], list[Value]], tuple[Sequence[Value], Sequence[Value]]]
"""Builds one step: from the states and the scanned positions, to the states after the step and its results."""


def make_loop(
    emit: Emitter, starts: Sequence[Value], parts: Sequence[tuple[Value, int]], step: StepBuilder, *, reverse: bool = False
) -> tuple[list[Value], list[Value]]:
    """Build a loop. Returns the last states, and the results stacked along the axis of the first scanned tensor."""
    length = _find_length(emit, parts)
    axes = tuple(axis for _, axis in parts)
    outer, scope = emit.builder, emit.scope
    inner = GraphBuilder("scan", "scan", emit.facts, outer.span)
    inner.graph.around = outer.graph
    with emit.emit_into(inner):
        states = [inner.add_input(v.type, v.name) for v in starts]
        positions = [inner.add_input(v.type.with_shape((*v.type.shape[:a], *v.type.shape[a + 1 :]))) for v, a in parts]
        after, results = step(states, positions)
        _require_same_types(emit, starts, after)
        if any(v.type.rank < axes[0] for v in results):
            raise ImportRefused("a step gives a tensor with fewer axes than the one that is stacked")
        _set_outputs(emit, inner.graph, [*after, *results])
    captured = _capture_values(inner)
    scan = Scan(len(starts), axes, (axes[0],) * len(results), length, reverse)
    types = [*(v.type for v in starts), *scan.output_types([v.type for v in inner.graph.outputs])[len(starts) :]]
    outputs = tuple(Value(type_, outer.span) for type_ in types)
    outer.graph.nodes.append(CallNode(inner.graph, (*starts, *(v for v, _ in parts), *captured), outputs, "", outer.span, scan=scan))
    outer.graph.size += inner.graph.size
    emit.scope = scope
    emit.record_last_node(outputs)
    return list(outputs[: len(starts)]), list(outputs[len(starts) :])


def _find_length(emit: Emitter, parts: Sequence[tuple[Value, int]]) -> Dim:
    first, axis = parts[0]
    length = first.type.shape[axis]
    # ONNX requires it, and netc must prove it.
    if any(emit.facts.are_equal(length, value.type.shape[a]) is not True for value, a in parts):
        raise ImportRefused("scans tensors of different lengths")
    # A scan without steps has no result to stack.
    if emit.facts.is_at_least(length, 1) is not True:
        raise ImportRefused("may have no step")
    return length


def _require_same_types(emit: Emitter, before: Sequence[Value], after: Sequence[Value]) -> None:
    for a, b in zip(before, after, strict=True):
        same = a.type.dtype == b.type.dtype and len(a.type.shape) == len(b.type.shape)
        if not same or not all(emit.facts.are_equal(d, e) is True for d, e in zip(a.type.shape, b.type.shape, strict=True)):
            raise ImportRefused(f"a state is {a.type} before a step and {b.type} after it")


def _set_outputs(emit: Emitter, graph: Graph, outputs: Sequence[Value]) -> None:
    """Set the outputs of the graph. Each output must be the result of a node in it, and occur once."""
    local_ids = {id(v) for node in graph.nodes for v in node.outputs}
    for value in outputs:
        if id(value) not in local_ids or any(value is output for output in graph.outputs):
            value = emit.apply_op("identity", value)
        graph.outputs.append(value)


def _capture_values(inner: GraphBuilder) -> list[Value]:
    """Make inputs of the tensors from outside, and return those tensors."""
    graph = inner.graph
    local_ids = {id(v) for v in graph.inputs} | {id(v) for node in graph.nodes for v in node.outputs}
    captured: dict[int, Value] = {}
    replacements: dict[int, Value] = {}
    for node in graph.nodes:
        for value in node.inputs:
            if id(value) not in local_ids and id(value) not in captured:
                captured[id(value)] = value
                replacements[id(value)] = inner.add_input(value.type, value.name)
        node.inputs = tuple(replacements.get(id(v), v) for v in node.inputs)
    graph.captures = len(captured)
    return list(captured.values())


def collect_bodies(graph: Graph) -> list[Graph]:
    """Collect a graph and the bodies of the loops in it, whose labels are the graph's own."""
    result = [graph]
    for each in result:
        result += [node.graph for node in each.nodes if isinstance(node, CallNode) and node.scan is not None]
    return result


def collect_operators(graph: Graph) -> list[OpNode]:
    """Collect the operators of a graph and of the loops in it."""
    return [node for each in collect_bodies(graph) for node in each.nodes if isinstance(node, OpNode)]
