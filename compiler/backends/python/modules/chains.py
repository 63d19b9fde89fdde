"""Recognizes how the nodes of a graph are connected: one after the other, or all to the same tensors.

In: graphs. Out: whether they are connected so: `conv; relu` is a chain, `{a: conv, b: pool}` is parallel. Always: linear in the number of
nodes.

    >>> import netc
    >>> is_chain(netc.compile("input 3 -> exp -> relu").program.main), is_chain(netc.compile("x = input 3; x + (x -> relu)").program.main)
    (True, False)
"""

from __future__ import annotations

from collections.abc import Sequence

from ....ir.graph import CallNode, Graph, Node, OpNode
from ....ir.graph_values import Parts, TupleSlice, Value

ValueOrParts = Value | Parts


def is_chain(graph: Graph) -> bool:
    """Whether each node takes the result of the previous one, and nothing else."""
    if len(graph.inputs) != 1 or len(graph.outputs) != 1 or graph.modules or graph.declares or graph.tuples or graph.tails:
        return False
    current = graph.inputs[0]
    for node in graph.nodes:
        if len(node.inputs) != 1 or node.inputs[0] is not current or len(node.outputs) != 1 or _has_tuples(node):
            return False
        current = node.outputs[0]
    return graph.outputs[0] is current


def is_loop(graph: Graph) -> bool:
    """Whether each node takes the results of the previous one and, after them, the same tensors and modules from outside."""
    first = graph.nodes[0]
    carried, count = list_grouped_inputs(first), len(list_grouped_outputs(first))
    constant = carried[count:]
    if not is_from_outside(first, graph) or len(carried) < count:
        return False
    carried = carried[:count]
    for node in graph.nodes:
        passed = list_grouped_inputs(node)
        if len(list_grouped_outputs(node)) != count or not are_same(passed[:count], carried) or not are_same(passed[count:], constant):
            return False
        # A `for` loop in `forward` calls all members alike, so all of them must get the same shared modules.
        if get_modules(node) != get_modules(first):
            return False
        carried = list_grouped_outputs(node)
    return are_same(graph.grouped_outputs, carried)


def is_parallel(graph: Graph) -> bool:
    """Whether the nodes take the same tensors and modules, and have one result each."""
    first = graph.nodes[0]
    for node in graph.nodes:
        if (
            len(node.outputs) != 1
            or not are_same(list_grouped_inputs(node), list_grouped_inputs(first))
            or get_modules(node) != get_modules(first)
        ):
            return False
        if isinstance(node, CallNode) and node.tails:
            return False
    return is_from_outside(first, graph) and are_same(graph.outputs, [v for n in graph.nodes for v in n.outputs])


def is_from_outside(node: Node, graph: Graph) -> bool:
    inputs = {id(v) for v in graph.inputs}
    return all(id(v) in inputs for v in node.inputs)


def get_modules(node: Node) -> tuple[object, ...]:
    return node.modules if isinstance(node, CallNode) else ()


def _has_tuples(node: Node) -> bool:
    return isinstance(node, CallNode) and bool(node.tuples or node.tails)


def list_grouped_inputs(node: Node) -> list[ValueOrParts]:
    return node.grouped_inputs if isinstance(node, CallNode) else list(node.inputs)


def list_grouped_outputs(node: Node) -> list[ValueOrParts]:
    """List the results, a tuple in the form in which it is passed on."""
    makes = node.outputs if isinstance(node, OpNode) else node.grouped_outputs
    return [item if isinstance(item, Value) else (TupleSlice(item),) for item in makes]


def are_same(a: Sequence[ValueOrParts], b: Sequence[ValueOrParts]) -> bool:
    return len(a) == len(b) and all(x is y or (isinstance(x, tuple) and x == y) for x, y in zip(a, b, strict=True))
