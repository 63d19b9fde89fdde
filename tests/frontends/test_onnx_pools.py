"""Pools that give the positions of what they found, which ONNX counts within the whole tensor: ONNX Runtime is the judge."""

from __future__ import annotations

from typing import Any

import onnx
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import TensorProto

SIZES = {"H": (8, 12), "W": (10, 14)}


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [2, 2], "strides": [2, 1], "storage_order": 1},
    ],
    ids=["plain", "padded", "ceil", "columns first"],
)
def test_positions(options: dict[str, Any]) -> None:
    same(indexed([node("MaxPool", ["x"], ["y", "at"], **options)], ["y", "at"]), sizes=SIZES)


def indexed(nodes: list[onnx.NodeProto], outputs: list[str]) -> onnx.ModelProto:
    given = model(nodes, {"x": ["N", 3, "H", "W"]}, outputs)
    for info in given.graph.output:
        info.type.tensor_type.elem_type = TensorProto.INT64 if info.name == "at" else TensorProto.FLOAT
    return given


def test_the_way_back() -> None:
    """Relu keeps the maxima apart from what is put next to them."""
    options = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [node("MaxPool", ["x"], ["y", "at"], **options), node("Relu", ["y"], ["r"]), node("MaxUnpool", ["r", "at"], ["z"], **options)]
    same(indexed(nodes, ["z"]), sizes=SIZES)
