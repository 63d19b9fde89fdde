r"""Inline a call: replace it by copies of the nodes of the called graph.

In: a graph, and a call in it. Out: the graph with the copies in place of the call. Their labels begin with the label of the call: `fc`
becomes `head.fc`. Always: the called graph does not change, because other calls may use it. Loops, shared stages and tuples are not
inlined.

>>> import netc
>>> main = netc.compile("block head { dense 4 as fc -> relu }\ninput 3 -> head").program.main
>>> inline_call(main, main.nodes[0])
>>> [node.label for node in main.nodes]
['head1.fc', 'head1.relu1']
"""

from __future__ import annotations

from copy import copy

from netc.dsl.record import replace

from ..types.traced_ints import substitute_values
from .graph import CallNode, Graph, Node, OpNode
from .graph_values import Value
from .replace_values import replace_values
from .walk import join_labels


def can_inline(call: CallNode) -> bool:
    """Whether the call can be inlined: it and the called graph have no loops, shared stages, ties or tuples."""
    graph = call.graph
    if call.scan is not None or call.shared is not None or graph.modules or graph.declares or graph.tuples or graph.tails:
        return False
    return all(n.shared is None and n.tie is None and not n.parts if isinstance(n, OpNode) else not n.tuples for n in graph.nodes)


def inline_call(graph: Graph, call: CallNode) -> None:
    """Replace the call by copies of the nodes of the called graph."""
    inside: dict[int, Value] = {id(inner): outer for inner, outer in zip(call.graph.inputs, call.inputs, strict=True)}
    for inner, outer in zip(call.graph.outputs, call.outputs, strict=True):
        # An input may be an output as it is, and one value several outputs: the first outer value is used for it.
        inside.setdefault(id(inner), outer)
    nodes = [_copy_node(node, call, inside) for node in call.graph.nodes]
    # By identity: nodes have no equality, and two calls of one graph look alike.
    index = next(i for i, node in enumerate(graph.nodes) if node is call)
    graph.nodes[index : index + 1] = nodes
    results = zip(call.graph.outputs, call.outputs, strict=True)
    replace_values(graph, {id(outer): inside[id(inner)] for inner, outer in results if inside[id(inner)] is not outer})


def _copy_node(node: Node, call: CallNode, inside: dict[int, Value]) -> Node:
    new_node = copy(node)
    new_node.inputs = tuple(inside[id(v)] for v in node.inputs)
    # An output of the called graph is in `inside` already, as the value that the caller uses.
    new_node.outputs = tuple(inside.setdefault(id(v), _copy_value(v, call)) for v in node.outputs)
    new_node.label, new_node.frozen = join_labels(call.label, node.label), node.frozen or call.frozen
    if isinstance(new_node, OpNode):
        new_node.op = new_node.op.substitute_values(call.arguments)
        specs = (
            replace(s, shape=substitute_values(s.shape, call.arguments), init=s.init.substitute_values(call.arguments))
            for s in new_node.specs
        )
        new_node.specs = tuple(specs)
    else:
        new_node.arguments = {name: substitute_values(value, call.arguments) for name, value in new_node.arguments.items()}
        if new_node.scan is not None:
            new_node.scan = replace(new_node.scan, length=substitute_values(new_node.scan.length, call.arguments))
    return new_node


def _copy_value(value: Value, call: CallNode) -> Value:
    new_value = copy(value)
    new_value.type = replace(value.type, shape=substitute_values(value.type.shape, call.arguments))
    return new_value
