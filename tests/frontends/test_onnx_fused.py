"""Operators that ONNX Runtime's optimizer makes of several. ONNX Runtime is the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import helper
from torch import nn


def of_runtime(nodes: list[onnx.NodeProto], inputs: dict[str, Any], constants: dict[str, Any]) -> onnx.ModelProto:
    """A model of operators of ONNX Runtime's own."""
    made = model(nodes, inputs, ["y"], {name: np.asarray(array, np.float32) for name, array in constants.items()})
    made.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return made


ACTIVATIONS: dict[str, list[float]] = {
    "Relu": [],
    "Tanh": [],
    "Sigmoid": [],
    "LeakyRelu": [0.2],
    "Clip": [-0.5, 0.75],
    "HardSigmoid": [0.3, 0.4],
}


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("added", [False, True])
def test_convolutions_with_an_activation(activation: str, added: bool) -> None:
    generator = np.random.default_rng(0)
    constants = {"w": generator.normal(size=(4, 3, 3, 3)), "b": generator.normal(size=4)}
    params = {"activation_params": ACTIVATIONS[activation]} if ACTIVATIONS[activation] else {}
    attributes = {"pads": [1, 1, 1, 1], "activation": activation, **params}
    fused = node("FusedConv", ["x", "w", "b", *(["z"] if added else [])], ["y"], domain="com.microsoft", **attributes)
    shapes: dict[str, Any] = {"x": ["N", 3, 8, 8]} | ({"z": ["N", 4, 8, 8]} if added else {})
    same(of_runtime([fused], shapes, constants))


PRODUCTS: list[tuple[dict[str, Any], list[int], list[int]]] = [
    ({}, [2, 6, 3, 4], [2, 6, 4, 5]),
    ({"transA": 1}, [2, 6, 4, 3], [2, 6, 4, 5]),
    ({"transB": 1, "alpha": 0.125}, [2, 6, 3, 4], [2, 6, 5, 4]),
    ({"transBatchA": 1, "transBatchB": 1, "transA": 1}, [4, 2, 6, 3], [4, 2, 6, 5]),
]
"""Attributes of `FusedMatMul`, and the shapes of both inputs as they are before the transpositions."""


@pytest.mark.parametrize(("options", "first", "second"), PRODUCTS, ids=str)
def test_products_of_transposed_matrices(options: dict[str, Any], first: list[int], second: list[int]) -> None:
    fused = node("FusedMatMul", ["a", "b"], ["y"], domain="com.microsoft", **options)
    same(of_runtime([fused], {"a": first, "b": second}, {}))


@pytest.mark.parametrize("activation", ["Relu", "LeakyRelu"])
def test_layers_with_an_activation(activation: str) -> None:
    generator = np.random.default_rng(0)
    constants = {"w": generator.normal(size=(4, 6)), "b": generator.normal(size=4)}
    more = {"activation_alpha": 0.3} if activation == "LeakyRelu" else {}
    fused = node("FusedGemm", ["x", "w", "b"], ["y"], domain="com.microsoft", transB=1, activation=activation, **more)
    same(of_runtime([fused], {"x": ["N", 6]}, constants))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_file_that_onnx_runtime_has_saved(tmp_path: Path) -> None:
    """At the level `extended`: convolutions have their activation and what is added to them."""

    class Residual(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Conv2d(8, 8, 3, padding=1), nn.Conv2d(8, 8, 3, padding=1)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.relu(self.second(torch.relu(self.first(x))) + x)

    names: dict[str, Any] = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": {"x": {0: "N"}}}
    torch.onnx.export(Residual().eval(), (torch.randn(1, 8, 8, 8),), str(tmp_path / "plain.onnx"), dynamo=False, **names)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    options.optimized_model_filepath = str(tmp_path / "saved.onnx")
    onnxruntime.InferenceSession(str(tmp_path / "plain.onnx"), options, providers=["CPUExecutionProvider"])
    saved = onnx.load(tmp_path / "saved.onnx")
    assert "FusedConv" in {each.op_type for each in saved.graph.node}
    same(saved)
