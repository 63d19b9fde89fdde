"""Rules for look-ups by indices. The adjoint of reading is adding, and the adjoint of adding is reading.

>>> sorted(INDEX_RULES)[:3]
['embedding', 'gather', 'index_add']
"""

from __future__ import annotations

from ..ir.graph import OpNode
from ..ir.graph_values import Value
from .graph_stages import GraphStages
from .rule_parts import Gradients, Rule


def _gather(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, index = node.inputs
    return {0: s.apply("scatter", s.fill_like(x, 0.0), index, g, axis=node.op.args["axis"], reduce="add")}


def _index_select(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, index = node.inputs
    return {0: s.apply("index_add", s.fill_like(x, 0.0), index, g, axis=node.op.args["axis"])}


def _index_add(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    _, index, source = node.inputs
    read = s.scale(s.apply("index_select", g, index, axis=node.op.args["axis"]), node.op.args["alpha"])
    return {0: g, 2: s.reshape(read, source.type.shape)}


def _scatter(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """With `reduce=multiply`, the product of all values for a position would be needed."""
    axis, reduce = node.op.args["axis"], node.op.args["reduce"]
    index = node.inputs[1]
    if reduce == "multiply" or any(value.type.rank != index.type.rank for value in node.inputs[2:]):
        return {}
    by_x = g if reduce == "add" else s.apply("scatter", g, index, axis=axis, value=0)
    if len(node.inputs) == 2:
        return {0: by_x}
    return {0: by_x, 2: _read_source(s, node, g)}


def _read_source(s: GraphStages, node: OpNode, g: Value) -> Value:
    """The gradient by the values that are written, of which those beyond the index are not."""
    index, source = node.inputs[1:]
    read = s.apply("gather", g, index, axis=node.op.args["axis"])
    for axis, size in enumerate(source.type.shape):
        read = s.resize(read, axis, size)
    return read


def _scatter_reduce(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    if node.op.args["reduce"] != "sum":
        return {}
    by_x = g if node.op.args["include_self"] else s.apply("scatter", g, node.inputs[1], axis=node.op.args["axis"], value=0)
    return {0: by_x, 2: _read_source(s, node, g)}


def _embedding(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    """By the rows of a table that is a tensor. PyTorch gives the row of the padding no gradient."""
    indices, weight = node.inputs
    if node.op.args["padding_idx"] is not None or node.op.args["max_norm"] is not None:
        return {}
    rows = s.apply("flatten", indices, start=0) if indices.type.rank != 1 else indices
    return {1: s.apply("index_add", s.fill_like(weight, 0.0), rows, s.flatten_rows(g), axis=0)}


def _max_unpool(s: GraphStages, node: OpNode, g: Value) -> Gradients:
    x, indices = node.inputs
    positions = s.apply("flatten", indices, start=2)
    return {0: s.reshape(s.apply("gather", s.apply("flatten", g, start=2), positions, axis=2), x.type.shape)}


INDEX_RULES: dict[str, Rule] = {
    "gather": _gather,
    "index_select": _index_select,
    "index_add": _index_add,
    "scatter": _scatter,
    "scatter_reduce": _scatter_reduce,
    "embedding": _embedding,
    "max_unpool": _max_unpool,
}
