"""Inlines a call: the operators of a block take the place of its use.

In: a graph, and a call in it. Out: the graph with the nodes of the called graph in place of the call; their labels begin with the label of
the call. Always: the called graph stays as it is. Loops, shared stages and tuples are not inlined.
"""

from __future__ import annotations

from copy import copy

from netc.dsl.record import replace

from ..types.traced_ints import substitute_values
from .graph import CallNode, Graph, Node, OpNode
from .graph_values import Value
from .replace_values import substitute
from .walk import join


def can_open(call: CallNode) -> bool:
    """Whether the called graph has operators and calls of tensors only."""
    graph = call.graph
    if call.scan is not None or call.shared is not None or graph.modules or graph.declares or graph.tuples or graph.tails:
        return False
    return all(n.shared is None and n.tie is None and not n.parts if isinstance(n, OpNode) else not n.tuples for n in graph.nodes)


def open_call(graph: Graph, call: CallNode) -> None:
    """Puts the nodes of the called graph in place of the call."""
    inside: dict[int, Value] = {id(inner): outer for inner, outer in zip(call.graph.inputs, call.inputs, strict=True)}
    for inner, outer in zip(call.graph.outputs, call.outputs, strict=True):
        # An input may be an output as it is, and one value several outputs: the first outer value is used for it.
        inside.setdefault(id(inner), outer)
    nodes = [_move_node(node, call, inside) for node in call.graph.nodes]
    at = next(i for i, node in enumerate(graph.nodes) if node is call)
    graph.nodes[at : at + 1] = nodes
    results = zip(call.graph.outputs, call.outputs, strict=True)
    substitute(graph, {id(outer): inside[id(inner)] for inner, outer in results if inside[id(inner)] is not outer})


def _move_node(node: Node, call: CallNode, inside: dict[int, Value]) -> Node:
    made = copy(node)
    made.inputs = tuple(inside[id(v)] for v in node.inputs)
    made.outputs = tuple(inside.setdefault(id(v), _move_value(v, call)) for v in node.outputs)
    made.label, made.frozen = join(call.label, node.label), node.frozen or call.frozen
    if isinstance(made, OpNode):
        made.op = made.op.moved(call.arguments)
        specs = (
            replace(s, shape=substitute_values(s.shape, call.arguments), init=s.init.substitute_values(call.arguments)) for s in made.specs
        )
        made.specs = tuple(specs)
    else:
        made.arguments = {name: substitute_values(value, call.arguments) for name, value in made.arguments.items()}
        if made.scan is not None:
            made.scan = replace(made.scan, length=substitute_values(made.scan.length, call.arguments))
    return made


def _move_value(value: Value, call: CallNode) -> Value:
    made = copy(value)
    made.type = replace(value.type, shape=substitute_values(value.type.shape, call.arguments))
    return made
