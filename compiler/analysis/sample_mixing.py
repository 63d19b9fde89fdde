"""Whether the samples of a batch meet before they are averaged, as the negatives of a contrastive loss do.

In: a graph that computes terms of a loss from what the data provide. Out: the first operator in which samples meet, or None. Always: if
none is found, a term of a sample depends on that sample alone, as far as shapes and axes tell; what `batch_norm` computes of a batch, and
rows that `index_select` takes of it, do not show.
"""

from __future__ import annotations

from ..ir.flat_graph import FlatGraph, FlatNode
from ..ir.graph import Graph, OpNode
from ..types.tensor_types import TensorType
from .sample_dependence import count_batch_axes


def find_mixing(graph: Graph) -> OpNode | None:
    """Inputs of the graph differ between samples, and what is computed of them."""
    varying = set(range(len(graph.inputs)))
    for item in FlatGraph(graph):
        if not isinstance(item, FlatNode):
            varying.update(item.given if hasattr(item, "given") else item.outputs)
            continue
        known = [value.type for key, value in zip(item.inputs, item.node.inputs, strict=True) if key in varying]
        if known:
            varying.update(item.outputs)
            if _is_mixing(item.node, known):
                return item.node
    return None


def _is_mixing(node: OpNode, inputs: list[TensorType]) -> bool:
    before = max(count_batch_axes(t.shape) for t in inputs)
    after = [count_batch_axes(value.type.shape) for value in node.outputs]
    return before > 0 and (max(after) == 0 or max(after) > before or _is_along_batch(node))


def _is_along_batch(node: OpNode) -> bool:
    """Whether an operator that keeps the shape computes along the axis of the batch, as `softmax` and `roll` can."""
    shape, axis = node.inputs[0].type.shape, node.op.args.get("axis")
    if node.outputs[0].type.shape != shape:
        return False
    axes = axis if isinstance(axis, tuple) else (axis,)
    return any(isinstance(one, int) and count_batch_axes((shape[one],)) for one in axes)
