"""Fuses the splitting and merging of heads into Attention, which then takes three axes, `[batch, length, heads * features]`.

In: a graph. Out: the same function. If the heads of an Attention of four axes are split just before it and merged just after it, it takes
three axes. So does a RotaryEmbedding in between. Always: further axes in front, as of windows, are part of the batch, as they are for four
axes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from netc.dsl.record import Record

from ....dims import Dim
from ....ops.operator import numel
from ....types.tensor_types import Shape
from ..onnx_builder import BuilderNode
from .open_graph import OpenGraph


class _HeadSplit(Record):
    """A split into heads: the name and the shape before, `[..., length, heads * features]`; the number of heads, after which the shape is
    `[..., heads, length, features]`; and a RotaryEmbedding between the split and Attention."""

    value: str
    shape: Shape
    heads: int
    rotary: BuilderNode | None


def fuse_split_heads(graph: OpenGraph) -> None:
    """Fuse all splits. Nodes that nothing takes any more are left out when the graph is written."""
    for node in list(graph.nodes):
        if node.op_type == "Attention" and node.attributes.get("q_num_heads") is None:
            _fuse_heads(graph, node)


def _fuse_heads(graph: OpenGraph, node: BuilderNode) -> None:
    splits = [_match_split(graph, value) for value in node.inputs[:3]]
    merge = _match_merge(graph, node)
    if merge is None:
        return
    q, k, v = splits
    # The attribute `kv_num_heads` is one number for both.
    if q is None or k is None or v is None or k.heads != v.heads:
        return
    if any(_count_batch(split.shape) is None for split in (q, k, v)):
        return
    index = graph.nodes.index(node)
    inputs = [_merge_heads(graph, node, split, index) for split in (q, k, v)]
    node.inputs = [*inputs, *node.inputs[3:]]
    node.attributes = {**node.attributes, "q_num_heads": q.heads, "kv_num_heads": k.heads}
    transpose, join = merge
    if graph.types[join.outputs[0]].rank == 3:
        graph.nodes.remove(transpose)
        graph.nodes.remove(join)
        node.outputs = (*join.outputs, *node.outputs[1:])
    else:
        join.inputs = [node.outputs[0], _make_reshape_target(graph, graph.types[join.outputs[0]].shape)]


def _match_split(graph: OpenGraph, value: str) -> _HeadSplit | None:
    """Match the split and transpose that make a value of four axes."""
    rotary = graph.find_producer(value, "RotaryEmbedding")
    if rotary is not None:
        # The operator rotates the heads itself if it knows their number, but only on three axes.
        inner = _match_split(graph, rotary.inputs[0]) if rotary.attributes.get("num_heads") is None else None
        plain = inner is not None and inner.rotary is None and len(inner.shape) == 3
        return _HeadSplit(inner.value, inner.shape, inner.heads, rotary) if inner is not None and plain else None
    outer_reshape = graph.find_producer(value, "Reshape")
    transpose = graph.find_producer(outer_reshape.inputs[0] if outer_reshape is not None else value, "Transpose")
    split_reshape = graph.find_producer(transpose.inputs[0], "Reshape") if transpose is not None else None
    if transpose is None or split_reshape is None or not _is_head_swap(transpose):
        return None
    merged_type, split_type = graph.types.get(split_reshape.inputs[0]), graph.types.get(transpose.outputs[0])
    if (
        merged_type is None
        or split_type is None
        or split_type.rank != merged_type.rank + 1
        or (outer_reshape is None) != (merged_type.rank == 3)
    ):
        return None
    # The heads become an attribute, so their number must be known.
    *ahead, heads, length, features = split_type.shape
    if not isinstance(heads, int) or merged_type.shape != (*ahead, length, heads * features):
        return None
    return _HeadSplit(split_reshape.inputs[0], merged_type.shape, heads, None)


def _is_head_swap(turn: BuilderNode) -> bool:
    """Whether only the heads and the length change places."""
    order = turn.attributes.get("perm")
    if not isinstance(order, tuple | list) or len(order) < 4:
        return False
    rank = len(order)
    return list(order) == [*range(rank - 3), rank - 2, rank - 3, rank - 1]


def _match_merge(graph: OpenGraph, node: BuilderNode) -> tuple[BuilderNode, BuilderNode] | None:
    """Match the nodes that transpose the result and merge its heads."""
    value = node.outputs[0]
    node_after = graph.find_only_user(value)
    if node_after is not None and node_after.op_type == "Reshape":
        value = node_after.outputs[0]
        node_after = graph.find_only_user(value)
    if node_after is None or node_after.op_type != "Transpose" or not _is_head_swap(node_after):
        return None
    join = graph.find_only_user(node_after.outputs[0])
    if join is None or join.op_type != "Reshape" or join.outputs[0] not in graph.types:
        return None
    apart, merged_shape = graph.types.get(value), graph.types[join.outputs[0]].shape
    if apart is None or apart.rank < 4:
        return None
    *ahead, heads, length, features = apart.shape
    if merged_shape != (*ahead, length, heads * features) or (
        # A Reshape can infer one size only.
        len(merged_shape) > 3 and sum(not isinstance(size, int) for size in merged_shape) > 1
    ):
        return None
    return node_after, join


def _count_batch(shape: Shape) -> Dim | None:
    """Return the product of all axes before the last two. None if ONNX would have to compute a shape."""
    known = len(shape) == 3 or all(isinstance(size, int) for size in shape[-2:])
    return numel(shape[:-2]) if known else None


def _merge_heads(graph: OpenGraph, node: BuilderNode, split: _HeadSplit, index: int) -> str:
    value = split.value
    if len(split.shape) > 3:
        value = _insert_node(
            graph, index, "Reshape", node, [value, _make_reshape_target(graph, (_count_batch(split.shape), *split.shape[-2:]))], {}
        )
    if split.rotary is None:
        return value
    split.rotary.inputs[0] = value
    split.rotary.attributes = {**split.rotary.attributes, "num_heads": split.heads}
    split.rotary.outputs = (graph.builder.value_names.make_unique(f"{node.name}/{split.rotary.op_type}"),)
    return split.rotary.outputs[0]


def _make_reshape_target(graph: OpenGraph, shape: Sequence[Dim | None]) -> str:
    """Make the sizes for a Reshape, at most one of which is unknown."""
    known = [size if isinstance(size, int) else -1 for size in shape]
    return graph.builder.add_constant(np.array(known, dtype=np.int64))


def _insert_node(graph: OpenGraph, index: int, op_type: str, node: BuilderNode, inputs: list[str], attributes: dict[str, object]) -> str:
    name = graph.builder.node_names.make_unique(f"{node.name}/{op_type}")
    output = graph.builder.value_names.make_unique(name)
    node_ = BuilderNode(op_type, name, inputs, (output,), attributes)
    node_.frame = node.frame
    graph.nodes.insert(index, node_)
    return output
