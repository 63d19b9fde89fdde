"""Find the operator that mixes the samples of a batch before they are averaged, as a contrastive loss does.

The loss of such a batch cannot be computed in parts.

In: a graph that computes the terms of a loss from the data. Out: the first operator that mixes samples, or None. Always: if there is none,
the term of a sample depends on that sample alone, as far as shapes and axes show. They do not show the statistics of `batch_norm`, nor the
rows that `index_select` picks.

>>> import netc
>>> find_mixing(netc.compile("x = input 8; x @ (x -> transpose 0 1)").program.main).op.name
'matmul'
"""

from __future__ import annotations

from ..ir.flat_graph import FlatGraph, FlatItem, FlatNode, FlatScan, FlatScanEnd
from ..ir.graph import Graph, OpNode
from ..types.tensor_types import TensorType
from .sample_dependence import count_batch_axes


def find_mixing(graph: Graph) -> OpNode | None:
    """Find the first operator that mixes samples on the way to an output. The inputs of the graph, and all values computed from them,
    differ between samples."""
    varying = set(range(len(graph.inputs)))
    for item in _list_needed(FlatGraph(graph)):
        if not isinstance(item, FlatNode):
            varying.update(item.step_inputs if hasattr(item, "step_inputs") else item.outputs)
            continue
        known = [value.type for key, value in zip(item.inputs, item.node.inputs, strict=True) if key in varying]
        if known:
            varying.update(item.outputs)
            if _is_mixing(item.node, known):
                return item.node
    return None


def _list_needed(graph: FlatGraph) -> list[FlatItem]:
    """List the items that the outputs depend on: a model may have results that one metric does not use."""
    items = list(graph)
    needed, kept = set(graph.output_keys()), list[FlatItem]()
    for item in reversed(items):
        match item:
            case FlatNode(inputs=inputs, outputs=outputs):
                if needed.isdisjoint(outputs):
                    continue
                needed.update(inputs)
            case FlatScan(inputs=inputs):
                needed.update(inputs)
            case FlatScanEnd(step_outputs=step_outputs):
                needed.update(step_outputs)
        kept.append(item)
    return kept[::-1]


def _is_mixing(node: OpNode, inputs: list[TensorType]) -> bool:
    before = max(count_batch_axes(t.shape) for t in inputs)
    after = [count_batch_axes(value.type.shape) for value in node.outputs]
    # Samples meet where the batch axis disappears (a mean), or where there is one more (all pairs in a contrastive
    # loss).
    return before > 0 and (max(after) == 0 or max(after) > before or _is_along_batch(node))


def _is_along_batch(node: OpNode) -> bool:
    """Whether an operator that keeps the shape computes along the axis of the batch, as `softmax` and `roll` can."""
    shape, axis = node.inputs[0].type.shape, node.op.args.get("axis")
    if node.outputs[0].type.shape != shape:
        return False
    axes = axis if isinstance(axis, tuple) else (axis,)
    return any(isinstance(axis_, int) and count_batch_axes((shape[axis_],)) for axis_ in axes)
