"""Sorts the nodes that the outputs of a graph need in the order of computation.

    >>> from onnx import helper
    >>> last, first = helper.make_node("Relu", ["a"], ["b"]), helper.make_node("Abs", ["x"], ["a"])
    >>> [node.op_type for node in order_needed_nodes([last, first], ["b"])[0]]
    ['Abs', 'Relu']

In: nodes in any order. Out: the nodes in order, and the nodes that are part of a cycle. Always: takes time in proportion to the nodes, and
does not recurse: a file may have a chain of 100,000 nodes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from onnx import GraphProto, NodeProto


def order_needed_nodes(nodes: Sequence[NodeProto], outputs: Iterable[str]) -> tuple[list[NodeProto], list[NodeProto]]:
    """Return the nodes that the outputs need, in order, and the nodes among them that are part of a cycle."""
    takes = [_find_used_names(node) for node in nodes]
    makers: dict[str, int] = {}
    for index, node in enumerate(nodes):
        for name in node.output:
            if name:
                # A name that two nodes make belongs to the first one. ONNX forbids it.
                makers.setdefault(name, index)
    wanted: set[int] = set()
    stack = [makers[name] for name in outputs if name in makers]
    while stack:
        index = stack.pop()
        if index not in wanted:
            wanted.add(index)
            stack += [makers[name] for name in takes[index] if name in makers]
    return _sort_nodes(nodes, sorted(wanted), takes, makers)


def _sort_nodes(
    nodes: Sequence[NodeProto], wanted: list[int], takes: Sequence[set[str]], makers: dict[str, int]
) -> tuple[list[NodeProto], list[NodeProto]]:
    done: set[int] = set()
    order: list[int] = []
    active: set[int] = set()
    stuck: set[int] = set()
    for root in wanted:
        stack = [(root, False)]
        while stack:
            index, ready = stack.pop()
            if ready:
                active.discard(index)
                if index not in done:
                    done.add(index)
                    order.append(index)
                continue
            if index in done:
                continue
            # Reached again from its own inputs, so it is in a cycle.
            if index in active:
                stuck.add(index)
                continue
            active.add(index)
            stack.append((index, True))
            stack += [(makers[name], False) for name in takes[index] if name in makers and makers[name] not in done]
    return [nodes[index] for index in order if index not in stuck], [nodes[index] for index in sorted(stuck)]


def _find_used_names(node: NodeProto) -> set[str]:
    """Return the names that a node reads, including outside names that its branches read."""
    result = {name for name in node.input if name}
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            result |= _find_free_names(graph)
    return result


def _find_free_names(graph: GraphProto) -> set[str]:
    bound = {i.name for i in graph.input} | {i.name for i in graph.initializer} | {name for node in graph.node for name in node.output}
    used = {name for node in graph.node for name in _find_used_names(node)} | {o.name for o in graph.output}
    return used - bound
