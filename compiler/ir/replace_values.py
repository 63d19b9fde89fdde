"""Replace values of a graph wherever they are used.

In: a graph or a node, and new values by the ids of the values that they replace, or by position. Out: nothing; the graph is changed in
place. Always: once a tensor of a tuple is replaced, the tensors of the tuple are passed one by one.

    >>> import netc
    >>> main = netc.compile("x = input 3; y = x -> relu; x * y").program.main
    >>> x, (relu, mul) = main.inputs[0], main.nodes
    >>> replace_values(main, {id(relu.outputs[0]): x})
    >>> mul.inputs
    (<x: [N, 3]>, <x: [N, 3]>)
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from netc.dsl.record import replace

from .graph import CallNode, Graph, Node
from .graph_values import Parts, Value, flatten_parts


def replace_values(graph: Graph, instead: Mapping[int, Value]) -> None:
    """Replace values in all nodes and outputs of a graph, by their ids."""
    if instead:
        for node in graph.nodes:
            replace_inputs(node, instead)
        replace_outputs(graph, instead)


def replace_inputs(node: Node, instead: Mapping[int, Value]) -> None:
    """Replace inputs of a node, by their ids."""
    if any(id(v) in instead for v in node.inputs):
        set_inputs(node, [instead.get(id(v), v) for v in node.inputs])


def set_inputs(node: Node, values: Sequence[Value]) -> None:
    """Set the inputs of a node, as many as it has."""
    if isinstance(node, CallNode):
        # The called graph knows where its tuples begin; the call only has the tensors in a row.
        groups = [values[group.at : group.at + len(group.values)] for group in node.graph.tuples]
        node.tuples = tuple(_with_values(parts, values_of_group) for parts, values_of_group in zip(node.tuples, groups, strict=True))
    elif node.parts:
        node.parts = _with_values(node.parts, values)
    node.inputs = tuple(values)


def replace_outputs(graph: Graph, instead: Mapping[int, Value]) -> None:
    """Replace outputs of a graph, by their ids."""
    graph.outputs = [instead.get(id(v), v) for v in graph.outputs]
    if graph.training_outputs is not None:
        graph.training_outputs = [instead.get(id(v), v) for v in graph.training_outputs]
    graph.tails = tuple(
        replace(tail, parts=_with_values(tail.parts, [instead.get(id(v), v) for v in flatten_parts(tail.parts)])) for tail in graph.tails
    )


def _with_values(parts: Parts, values: Sequence[Value]) -> Parts:
    """Return the parts with these values. A part whose values are the same stays, any other becomes single tensors."""
    result: list[Parts] = []
    position = 0
    for part in parts:
        before = flatten_parts((part,))
        values_of_part = tuple(values[position : position + len(before)])
        position += len(before)
        # A slice of a tuple whose tensors differ now is no slice of that tuple any more.
        result.append((part,) if all(a is b for a, b in zip(before, values_of_part, strict=True)) else values_of_part)
    return tuple(part_ for several in result for part_ in several)
