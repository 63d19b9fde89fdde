"""What is constant is computed before the model is written, and nothing is stored twice."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
import torch
from onnx import numpy_helper

import netc
from tests.parity import agree

TIED = "tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head"


def types(proto: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in proto.graph.node]


def stored(proto: onnx.ModelProto) -> dict[str, np.ndarray]:
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in proto.graph.initializer}


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("input [T, 8] -> dense 16 as a", ["MatMul", "Add"]),
        ("input [T, 8] -> multihead_attention 2 as a", ["MatMul", "Add", "Split", "Attention", "MatMul", "Add"]),
        ("input [T, 8] -> lstm 4 bias=false as a", ["Transpose", "LSTM", "Transpose", "Squeeze"]),
        ("input [3, 8] -> group_norm 3 as a", ["Reshape", "LayerNormalization", "Reshape", "Mul", "Add"]),
    ],
)
def test_weights_are_not_moved_when_the_model_runs(text: str, left: list[str]) -> None:
    model = netc.compile(text)
    agree(model)
    assert types(model.onnx()) == left


def test_a_weight_that_is_stored_transposed_says_so() -> None:
    model = netc.compile("input [T, 8] -> dense 16 as a")
    found = stored(model.onnx(seed=3))
    assert found.keys() == {"a.weight/Transpose", "a.bias"}
    weight = model.module(seed=3).state_dict()["a.weight"]
    assert torch.equal(torch.from_numpy(found["a.weight/Transpose"].copy()), weight.T)


def test_without_optimization_initializers_are_the_parameters() -> None:
    model = netc.compile("input [T, 8] -> dense 16 as a")
    assert stored(model.onnx(optimize=False)).keys() == {"a.weight", "a.bias"}


def test_a_tied_weight_is_stored_once() -> None:
    proto = netc.compile(TIED).onnx()
    assert list(stored(proto)) == ["wte.weight"]
    agree(netc.compile(TIED), limits={"tokens": 10})


def test_a_shared_weight_is_stored_once() -> None:
    model = netc.compile("shared f = dense 8\ninput [T, 8] -> f -> relu -> f")
    agree(model)
    assert list(stored(model.onnx())) == ["f.bias", "f.weight/Transpose"]


def test_tables_of_known_sizes_are_constants() -> None:
    proto = netc.compile("input [2, 3, 8] -> rotary").onnx()
    assert not {"Cos", "Sin", "Range"} & set(types(proto))


@pytest.mark.parametrize(("count", "left"), [(240, ["Add"]), (300, ["Cast", "Mul", "Add"])])
def test_masks_of_constants_are_constants(count: int, left: list[str]) -> None:
    """Up to 256 KB: 240 x 240 floats are 230 KB, 300 x 300 are 360, and as booleans 90."""
    text = f"x = input [{count}, {count}] batch=false; part = table (i) [{count}] = i // 7; "
    text += "rows = part -> unsqueeze 0; columns = part -> unsqueeze 1; x + -100 * (rows != columns -> cast float32)"
    model = netc.compile(text)
    agree(model)
    assert types(model.onnx()) == left


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64"])
def test_weights_of_other_types(dtype: str) -> None:
    model = netc.compile("input [T, 8] -> dense 16 as a", dtype=dtype)
    (found,) = (t for t in model.onnx(seed=3).graph.initializer if t.name == "a.weight/Transpose")
    assert numpy_helper.to_array(found).astype(np.float64).tolist() == model.module(seed=3).state_dict()["a.weight"].T.double().tolist()


def test_outputs_that_are_constant_stay_computed() -> None:
    model = netc.compile("x = input [3]; w = param [2, 3] init=normal as w; y = w -> transpose 0 1; out x, y")
    assert stored(model.onnx()).keys() == {"w"}


def test_the_import_knows_a_transposed_weight() -> None:
    from netc.compiler.frontends.onnx import from_model

    assert set(from_model(netc.compile("input [T, 8] -> dense 16 as a").onnx()).weights) == {"a.weight", "a.bias"}
