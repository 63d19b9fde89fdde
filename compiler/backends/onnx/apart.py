"""Nodes that ONNX Runtime would join to one that computes something else.

In: a builder with all nodes. Out: the same function, with a node between those. Always: a graph without such nodes is left as it is.

ONNX Runtime takes zeros that `Pad` adds for the padding of the pool that follows (PadFusion, 1.16 to 1.31): but a maximum ignores its own
padding, and a pool's padding must be smaller than its windows. Concat of one tensor copies it, and is in no fusion.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from .builder import BuilderNode, GraphBuilder

_POOLS = {"AveragePool", "MaxPool"}


def keep_apart(builder: GraphBuilder) -> None:
    """See the module's docstring."""
    builder.nodes = list(_apart(builder, builder.nodes))


def _apart(builder: GraphBuilder, nodes: Sequence[BuilderNode]) -> Iterator[BuilderNode]:
    makers: dict[str, BuilderNode] = {}
    for node in nodes:
        if node.body is not None:
            node.body.nodes = list(_apart(builder, node.body.nodes))
        if node.op_type in _POOLS and _adds_zeros(makers, node.inputs[0], builder):
            copy = builder.value_names.unique(f"{node.inputs[0]}/Concat")
            between = BuilderNode("Concat", builder.node_names.unique(copy), [node.inputs[0]], (copy,), {"axis": 0})
            between.frame, node.inputs[0] = node.frame, copy
            yield between
        makers.update(dict.fromkeys(node.outputs, node))
        yield node


def _adds_zeros(makers: Mapping[str, BuilderNode], value: str, builder: GraphBuilder) -> bool:
    node = makers.get(value)
    if node is not None and node.op_type == "Cast":
        node = makers.get(node.inputs[0])
    if node is None or node.op_type != "Pad" or node.attributes.get("mode") not in (None, "constant"):
        return False
    fill = builder.stored.get(node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else None
    return fill is None or not fill.read().any()
