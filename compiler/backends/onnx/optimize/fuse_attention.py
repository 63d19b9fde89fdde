"""Attention on three axes, `[batch, length, heads * features]`, which splits and merges the heads itself.

In: a graph. Out: the same, where an Attention of four axes gets heads that were split just before, and its heads are merged just after; a
RotaryEmbedding in between is one of three axes too. Always: windows and such, axes before the batch, are part of the batch, as they are for
four axes.
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


class _Split(Record):
    """What is split into heads: its name, and its shape `[..., length, heads * features]`; the shape after, `[..., heads, length,
    features]`; a RotaryEmbedding between it and Attention."""

    value: str
    shape: Shape
    heads: int
    rotary: BuilderNode | None


def attention_of_three_axes(graph: OpenGraph) -> None:
    """All of them; nodes that nothing takes any more are left out when the graph is written."""
    for node in list(graph.nodes):
        if node.op_type == "Attention" and node.attributes.get("q_num_heads") is None:
            _rewrite(graph, node)


def _rewrite(graph: OpenGraph, node: BuilderNode) -> None:
    splits = [_split(graph, value) for value in node.inputs[:3]]
    merge = _merge(graph, node)
    if merge is None:
        return
    q, k, v = splits
    if q is None or k is None or v is None or k.heads != v.heads:
        return
    if any(_batch(split.shape) is None for split in (q, k, v)):
        return
    at = graph.nodes.index(node)
    inputs = [_three_axes(graph, node, split, at) for split in (q, k, v)]
    node.inputs = [*inputs, *node.inputs[3:]]
    node.attributes = {**node.attributes, "q_num_heads": q.heads, "kv_num_heads": k.heads}
    turn, join = merge
    if graph.types[join.outputs[0]].rank == 3:
        graph.nodes.remove(turn)
        graph.nodes.remove(join)
        node.outputs = (*join.outputs, *node.outputs[1:])
    else:
        join.inputs = [node.outputs[0], _sizes(graph, graph.types[join.outputs[0]].shape)]


def _split(graph: OpenGraph, value: str) -> _Split | None:
    """What is split and turned to make a value of four axes."""
    rotary = graph.maker(value, "RotaryEmbedding")
    if rotary is not None:
        found = _split(graph, rotary.inputs[0]) if rotary.attributes.get("num_heads") is None else None
        plain = found is not None and found.rotary is None and len(found.shape) == 3
        return _Split(found.value, found.shape, found.heads, rotary) if found is not None and plain else None
    merged = graph.maker(value, "Reshape")
    turn = graph.maker(merged.inputs[0] if merged is not None else value, "Transpose")
    cut = graph.maker(turn.inputs[0], "Reshape") if turn is not None else None
    if turn is None or cut is None or not _swaps(turn):
        return None
    whole, parts = graph.types.get(cut.inputs[0]), graph.types.get(turn.outputs[0])
    if whole is None or parts is None or parts.rank != whole.rank + 1 or (merged is None) != (whole.rank == 3):
        return None
    *ahead, heads, length, features = parts.shape
    if not isinstance(heads, int) or whole.shape != (*ahead, length, heads * features):
        return None
    return _Split(cut.inputs[0], whole.shape, heads, None)


def _swaps(turn: BuilderNode) -> bool:
    """Whether the heads and the length change places, and nothing else."""
    order = turn.attributes.get("perm")
    if not isinstance(order, tuple | list) or len(order) < 4:
        return False
    rank = len(order)
    return list(order) == [*range(rank - 3), rank - 2, rank - 3, rank - 1]


def _merge(graph: OpenGraph, node: BuilderNode) -> tuple[BuilderNode, BuilderNode] | None:
    """The nodes that turn the result and merge its heads."""
    value = node.outputs[0]
    after = graph.only_taker(value)
    if after is not None and after.op_type == "Reshape":
        value = after.outputs[0]
        after = graph.only_taker(value)
    if after is None or after.op_type != "Transpose" or not _swaps(after):
        return None
    join = graph.only_taker(after.outputs[0])
    if join is None or join.op_type != "Reshape" or join.outputs[0] not in graph.types:
        return None
    apart, whole = graph.types.get(value), graph.types[join.outputs[0]].shape
    if apart is None or apart.rank < 4:
        return None
    *ahead, heads, length, features = apart.shape
    if whole != (*ahead, length, heads * features) or (len(whole) > 3 and sum(not isinstance(size, int) for size in whole) > 1):
        return None
    return after, join


def _batch(shape: Shape) -> Dim | None:
    """The size of all axes before the last two as one; None where ONNX would have to compute a shape."""
    known = len(shape) == 3 or all(isinstance(size, int) for size in shape[-2:])
    return numel(shape[:-2]) if known else None


def _three_axes(graph: OpenGraph, node: BuilderNode, split: _Split, at: int) -> str:
    value = split.value
    if len(split.shape) > 3:
        value = _insert(graph, at, "Reshape", node, [value, _sizes(graph, (_batch(split.shape), *split.shape[-2:]))], {})
    if split.rotary is None:
        return value
    split.rotary.inputs[0] = value
    split.rotary.attributes = {**split.rotary.attributes, "num_heads": split.heads}
    split.rotary.outputs = (graph.builder.value_names.unique(f"{node.name}/{split.rotary.op_type}"),)
    return split.rotary.outputs[0]


def _sizes(graph: OpenGraph, shape: Sequence[Dim | None]) -> str:
    """The sizes for a Reshape; one at most is not known."""
    known = [size if isinstance(size, int) else -1 for size in shape]
    return graph.builder.constant(np.array(known, dtype=np.int64))


def _insert(graph: OpenGraph, at: int, op_type: str, node: BuilderNode, inputs: list[str], attributes: dict[str, object]) -> str:
    name = graph.builder.node_names.unique(f"{node.name}/{op_type}")
    output = graph.builder.value_names.unique(name)
    made = BuilderNode(op_type, name, inputs, (output,), attributes)
    made.frame = node.frame
    graph.nodes.insert(at, made)
    return output
