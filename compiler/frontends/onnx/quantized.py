"""Graphs that compute with quantised numbers.

In: a model. Out: nothing, or an `ImportFailed` with all operators that make it one.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from ..base import ImportFailed, Obstacle

QUANTIZED = [
    "QLinearConv",
    "QLinearMatMul",
    "ConvInteger",
    "MatMulInteger",
    "DynamicQuantizeLinear",
    "QuantizeLinear",
    "DequantizeLinear",
    "QLinearAdd",
    "QLinearMul",
    "QLinearSigmoid",
    "QLinearConcat",
    "QLinearGlobalAveragePool",
    "QLinearAveragePool",
    "QGemm",
    "MatMulNBits",
    "DynamicQuantizeMatMul",
]
WHY = "computes with quantised numbers, which netc does not have"
HELP = "import it with dequantised weights"


def refuse(model: onnx.ModelProto) -> None:
    """Raises `ImportFailed` for a model with such operators."""
    found = [Obstacle(node.op_type, WHY, node.name or next(iter(node.output), ""), HELP) for node in _nodes(model.graph)]
    if found:
        raise ImportFailed(tuple(found))


def _nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        if node.op_type in QUANTIZED:
            yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _nodes(inner)
