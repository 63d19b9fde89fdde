"""Operators as operator sets 7 to 10 have them, with attributes that are inputs today: ONNX Runtime is the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import same

IMAGES: dict[str, Any] = {"x": ["N", 4, 6, 8]}
BATCH = {name: np.linspace(0.5, 2, 4, dtype=np.float32) for name in ("scale", "bias", "mean", "var")}
CASES: dict[str, tuple[onnx.NodeProto, int, dict[str, Any]]] = {
    "upsample": (node("Upsample", ["x"], ["y"], scales=[1.0, 1.0, 2.0, 2.0], mode="nearest"), 7, {}),
    "upsample by an input": (node("Upsample", ["x", "s"], ["y"], mode="nearest"), 9, {"s": np.array([1, 1, 2, 3], np.float32)}),
    "resize": (node("Resize", ["x", "s"], ["y"], mode="nearest"), 10, {"s": np.array([1, 1, 2, 2], np.float32)}),
    "pad": (node("Pad", ["x"], ["y"], pads=[0, 0, 1, 2, 0, 0, 3, 0], value=2.5), 7, {}),
    "pad that reflects": (node("Pad", ["x"], ["y"], pads=[0, 0, 1, 2, 0, 0, 3, 0], mode="reflect"), 9, {}),
    "slice": (node("Slice", ["x"], ["y"], starts=[1, -5], ends=[3, 1000], axes=[1, 3]), 7, {}),
    "dropout": (node("Dropout", ["x"], ["y"], ratio=0.4), 7, {}),
    "batch norm": (node("BatchNormalization", ["x", *BATCH], ["y"], epsilon=1e-3, momentum=0.8), 7, BATCH),
    "batch norm 9": (node("BatchNormalization", ["x", *BATCH], ["y"], epsilon=1e-3, momentum=0.8), 9, BATCH),
    "squeeze": (node("Unsqueeze", ["x"], ["y"], axes=[0, 3]), 7, {}),
    "sum": (node("ReduceSum", ["x"], ["y"], axes=[1, -1], keepdims=0), 11, {}),
    "clip": (node("Clip", ["x"], ["y"], min=-0.5, max=0.25), 7, {}),
    "softmax": (node("Softmax", ["x"], ["y"], axis=1), 7, {}),
    "softmax of all": (node("LogSoftmax", ["x"], ["y"]), 9, {}),
    "split": (node("Split", ["x"], ["y", "z"], axis=1, split=[1, 3]), 7, {}),
    "top k": (node("TopK", ["x"], ["y", "z"], axis=3, k=3), 7, {}),
    "scatter": (
        node("Scatter", ["x", "i", "u"], ["y"], axis=3),
        9,
        {"i": np.zeros((1, 4, 6, 1), np.int64) + 5, "u": np.ones((1, 4, 6, 1), np.float32)},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_old_form(name: str) -> None:
    made, opset, numbers = CASES[name]
    given = model([made], {**IMAGES, "x": [1, 4, 6, 8]} if name == "scatter" else IMAGES, list(made.output), numbers, opset=opset)
    if name == "top k":
        given.graph.output[1].type.tensor_type.elem_type = onnx.TensorProto.INT64
    same(given)


def test_the_number_of_sizes_is_known() -> None:
    nodes = [
        node("Shape", ["x"], ["shape"]),
        node("Size", ["shape"], ["rank"]),
        node("Cast", ["rank"], ["number"], to=onnx.TensorProto.FLOAT),
        node("Mul", ["x", "number"], ["y"]),
    ]
    same(model(nodes, {"x": ["N", 3]}, ["y"]))
