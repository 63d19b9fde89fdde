"""Refuses graphs that compute with quantized numbers, unless the user passes `--dequantize`.

In: a model. Out: nothing, or an `ImportFailed` that lists all quantized operators.
"""

from __future__ import annotations

from collections.abc import Iterator

import onnx

from ..imported_model import ImportFailed, Obstacle
from .float_forms import FORMS

WHY = "computes with quantized numbers, which netc does not have"
HELP = "`--dequantize` imports the float model that it represents"


def refuse_quantized(model: onnx.ModelProto) -> None:
    """Raise `ImportFailed` for a model with quantized operators."""
    obstacles = [Obstacle(node.op_type, WHY, node.name or next(iter(node.output), ""), HELP) for node in _find_quantized_nodes(model.graph)]
    if obstacles:
        raise ImportFailed(tuple(obstacles))


def _find_quantized_nodes(graph: onnx.GraphProto) -> Iterator[onnx.NodeProto]:
    for node in graph.node:
        if node.op_type in FORMS:
            yield node
        for attribute in node.attribute:
            for inner in (attribute.g, *attribute.graphs):
                yield from _find_quantized_nodes(inner)
