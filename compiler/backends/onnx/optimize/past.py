"""Fuses the joining of a stream's keys and values to the keys and values of earlier positions into Attention.

In: a graph. Out: the same function. If the keys and values of an Attention are each joined to earlier ones just before, and are outputs,
it takes the earlier ones as `past_key` and `past_value`, and returns the joined ones as `present_key` and `present_value`. Always: only
the graph's outputs use the joined tensors, so the order of the nodes stays valid.
"""

from __future__ import annotations

from ..onnx_builder import BuilderNode
from .open_graph import OpenGraph

_LENGTH = 2


def fuse_past(graph: OpenGraph) -> None:
    for node in list(graph.nodes):
        # `is_causal` would align queries with the first key, past ones included.
        if node.op_type == "Attention" and len(node.outputs) == 1 and len(node.inputs) in (3, 4) and not node.attributes.get("is_causal"):
            _fuse_past_node(graph, node)


def _fuse_past_node(graph: OpenGraph, node: BuilderNode) -> None:
    query, key, value, *mask = node.inputs
    joins = [_match_join(graph, node, name) for name in (key, value)]
    keys, values = joins
    if keys is None or values is None or keys is values:
        return
    (past_key, new_key), (past_value, new_value) = keys.inputs, values.inputs
    graph.remove_nodes(lambda other: other is keys or other is values)
    node.inputs = [query, new_key, new_value, *(mask or [""]), past_key, past_value]
    node.outputs = (*node.outputs, key, value)
    graph.producers |= {key: node, value: node}


def _match_join(graph: OpenGraph, node: BuilderNode, value: str) -> BuilderNode | None:
    """Match the Concat of earlier and new positions, if only Attention and an output use its result."""
    join = graph.producers.get(value)
    taking = graph.users[value]
    alone = len(taking) == 2 and None in taking and any(taker is node for taker in taking) and value in graph.outputs
    if join is None or join.op_type != "Concat" or not alone or len(join.inputs) != 2 or join.attributes.get("axis") != _LENGTH:
        return None
    types = [graph.types.get(name) for name in (*join.inputs, value)]
    return join if all(t is not None and t.rank == 4 for t in types[1:]) and join in graph.nodes else None
