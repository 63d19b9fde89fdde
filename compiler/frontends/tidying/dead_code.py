"""Removes dead code: nodes whose results nobody reads, and outputs that no call of a graph uses.

In `y = relu(x); out = tanh(x)`, the `relu` is dead.

In: the main graph of a program. Out: the same graph without them. Always: a node with keys stays, and so do the inputs of the model.
"""

from __future__ import annotations

from ...ir.graph import CallNode, Graph, Node
from ...ir.walk import collect_graphs


def remove_dead_code(main: Graph) -> None:
    """Remove dead nodes, outputs and inputs, in the outermost graphs first: an output of an inner graph is dead if no call's result is
    read."""
    calls: dict[int, list[CallNode]] = {}
    for graph in collect_graphs(main):
        for node in graph.nodes:
            if isinstance(node, CallNode):
                calls.setdefault(id(node.graph), []).append(node)
    read: set[int] = set()
    changed = False
    for graph in reversed(collect_graphs(main)):
        if graph is not main:
            _drop_unread_outputs(graph, calls.get(id(graph), []), read)
        drop_nodes(graph)
        read.update(id(value) for node in graph.nodes for value in node.inputs)
        read.update(map(id, (*graph.outputs, *(graph.training_outputs or ()))))
    for graph in collect_graphs(main):
        if graph is not main and _drop_unread_inputs(graph, calls.get(id(graph), [])):
            changed = True
    # A dropped input may have been the only reader of a node in the graph outside.
    if changed:
        remove_dead_code(main)


def count_operators(main: Graph) -> None:
    """Update the sizes of the graphs after nodes were removed."""
    for graph in collect_graphs(main):
        graph.size = sum(node.graph.size if isinstance(node, CallNode) else 1 for node in graph.nodes)


def _drop_unread_outputs(graph: Graph, calls: list[CallNode], read: set[int]) -> None:
    # The calls of a shared module must have the same results, even if only one call's second result is read.
    if graph.tails or any(node.scan is not None or node.tails or node.shared is not None for node in calls):
        return
    kept = [index for index in range(len(graph.outputs)) if any(id(node.outputs[index]) in read for node in calls)]
    if kept and len(kept) < len(graph.outputs):
        graph.outputs = [graph.outputs[index] for index in kept]
        for node in calls:
            node.outputs = tuple(node.outputs[index] for index in kept)


def _drop_unread_inputs(graph: Graph, calls: list[CallNode]) -> bool:
    """Drop the inputs that nothing inside reads. Returns whether there was any. A block needs an input, so the first one may stay."""
    # The positions of these inputs have a meaning: members of a tuple, and the end of the list.
    if graph.tuples or graph.captures or any(node.scan is not None or node.tuples for node in calls):
        return False
    read = {id(value) for node in graph.nodes for value in node.inputs} | set(map(id, graph.outputs))
    kept = [index for index, value in enumerate(graph.inputs) if id(value) in read] or [0]
    if len(kept) >= len(graph.inputs):
        return False
    graph.inputs = [graph.inputs[index] for index in kept]
    for node in calls:
        node.inputs = tuple(node.inputs[index] for index in kept)
    return True


def drop_nodes(graph: Graph) -> None:
    """Remove dead nodes. Nodes with parameters stay, because their keys are in the checkpoint.

    If no use of a shared module is read, its first use stays for the keys.
    """
    roots = {id(node) for node in graph.nodes if node.shared is None and has_keys(node)}
    kept = _find_needed(graph, roots)
    used = {id(node.shared) for node in kept}
    for node in graph.nodes:
        if node.shared is not None and has_keys(node) and id(node.shared) not in used:
            used.add(id(node.shared))
            roots.add(id(node))
    graph.nodes = _find_needed(graph, roots)


def _find_needed(graph: Graph, roots: set[int]) -> list[Node]:
    """Return the nodes that the roots and the outputs of the graph need, in order."""
    needed = set(map(id, (*graph.outputs, *(graph.training_outputs or ()))))
    kept: list[Node] = []
    for node in reversed(graph.nodes):
        if id(node) in roots or any(id(value) in needed for value in node.outputs):
            kept.append(node)
            needed.update(map(id, node.inputs))
    return kept[::-1]


def has_keys(node: Node) -> bool:
    """Return whether the node has parameters, itself or in a graph that it calls."""
    if isinstance(node, CallNode):
        return any(map(has_keys, node.graph.nodes))
    return any(spec.persistent for spec in node.specs) or node.tie is not None
