"""Layers in ONNX files whose weights are constants, in every form in which files have them: ONNX Runtime is the judge, of the module and of
the session."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from frontends.imported import operators
from frontends.onnx_models import model, node
from frontends.onnx_parity import imported, same
from onnx import TensorProto

import netc
from netc.compiler.frontends.imported_model import Imported, ImportFailed
from netc.compiler.frontends.onnx import from_model

GENERATOR = np.random.default_rng(0)


def draw(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(np.float32)


WEIGHT = draw(3, 5)


def weights_of(made: Imported) -> dict[str, tuple[int, ...]]:
    return {name: np.asarray(array).shape for name, array in made.weights.items()}


@pytest.mark.parametrize("bias", [(5,), (1, 5), (1, 1, 5)], ids=str)
@pytest.mark.parametrize("is_first", [False, True], ids=["after the product", "before the product"])
def test_an_added_constant_is_the_bias_of_a_product(bias: tuple[int, ...], is_first: bool) -> None:
    inputs = ["b", "p"] if is_first else ["p", "b"]
    nodes = [node("MatMul", ["x", "w"], ["p"]), node("Add", inputs, ["y"])]
    made = same(model(nodes, {"x": ["N", 4, 3]}, ["y"], {"w": WEIGHT, "b": draw(*bias)}))
    assert operators(made.program) == ["dense"]
    assert sorted(weights_of(made).values()) == [(5,), (5, 3)]


@pytest.mark.parametrize("bias", [(3, 5), (4, 1), (1,), ()], ids=str)
def test_another_constant_is_no_bias(bias: tuple[int, ...]) -> None:
    """It has a number for each row, or one for all."""
    nodes = [node("MatMul", ["x", "w"], ["p"]), node("Add", ["p", "b"], ["y"])]
    given = model(nodes, {"x": ["N", *bias[:1], 3] if len(bias) == 2 else ["N", 3]}, ["y"], {"w": WEIGHT, "b": draw(*bias)})
    assert {"add", "dense"} <= set(operators(same(given).program))


@pytest.mark.parametrize("bias", [(6, 1), (1, 6, 1)], ids=str)
def test_an_added_constant_is_the_bias_of_a_convolution(bias: tuple[int, ...]) -> None:
    nodes = [node("Conv", ["x", "w"], ["c"], kernel_shape=[3]), node("Add", ["c", "b"], ["y"])]
    made = same(model(nodes, {"x": ["N", 2, 9]}, ["y"], {"w": draw(6, 2, 3), "b": draw(*bias)}))
    assert operators(made.program) == ["conv"]
    assert sorted(weights_of(made).values()) == [(6,), (6, 2, 3)]


@pytest.mark.parametrize("size", [3, 5], ids=["square", "not square"])
@pytest.mark.parametrize("attributes", [{}, {"perm": [1, 0]}, {"perm": [0, 1]}], ids=str)
def test_a_weight_whose_axes_are_swapped(attributes: dict[str, Any], size: int) -> None:
    stays = attributes.get("perm") == [0, 1]
    nodes = [node("Transpose", ["w"], ["t"], **attributes), node("MatMul", ["x", "t"], ["y"])]
    made = same(model(nodes, {"x": ["N", 3]}, ["y"], {"w": draw(3, size) if stays else draw(size, 3)}))
    assert operators(made.program) == ["dense"]


GATES = {"LSTM": 4, "GRU": 3, "RNN": 1}


@pytest.mark.parametrize(("kind", "direction", "has_bias"), list(product(GATES, ["forward", "reverse", "bidirectional"], [True, False])))
def test_a_recurrent_layer_with_constant_weights(kind: str, direction: str, has_bias: bool) -> None:
    gates, ways, width = GATES[kind], 2 if direction == "bidirectional" else 1, 5
    constants = {"w": draw(ways, gates * width, 3), "r": draw(ways, gates * width, width)}
    if has_bias:
        constants["b"] = draw(ways, 2 * gates * width)
    reset = {"linear_before_reset": 1} if kind == "GRU" else {}
    layer = node(kind, ["x", *constants], ["h"], hidden_size=width, direction=direction, **reset)
    made = same(model([layer], {"x": ["T", "N", 3]}, ["h"], constants))
    assert kind.lower() in operators(made.program)


@pytest.mark.parametrize("kind", GATES)
@pytest.mark.parametrize("known", [(), ("h0",), ("c0",)], ids=str)
def test_a_recurrent_layer_with_initial_states(kind: str, known: tuple[str, ...]) -> None:
    """Each state is an input, or a constant."""
    gates, states = GATES[kind], ("h0", "c0") if kind == "LSTM" else ("h0",)
    constants = {"w": draw(1, gates * 5, 3), "r": draw(1, gates * 5, 5)} | {name: draw(1, 2, 5) for name in known if name in states}
    inputs = {"x": ["T", 2, 3]} | {name: [1, 2, 5] for name in states if name not in known}
    reset = {"linear_before_reset": 1} if kind == "GRU" else {}
    results = ["y", "h", "c"][: 1 + len(states)]
    layer = node(kind, ["x", "w", "r", "", "", *states], results, hidden_size=5, **reset)
    made = same(model([layer], inputs, results, constants))
    assert kind.lower() in operators(made.program)


@pytest.mark.parametrize("axis", [1, 2, -1])
def test_operator_sets_before_7_say_at_which_axis_a_constant_begins(axis: int) -> None:
    """ONNX Runtime has no kernels of operator set 6. The import has the operators and weights of a file of set 7, whose constant
    has the axes of size 1."""
    x, c = {"x": ["N", 3, 4]}, draw(3 if axis == 1 else 4)
    old = imported(model([node("Sub", ["x", "c"], ["y"], axis=axis, broadcast=1)], x, ["y"], {"c": c}, opset=6))
    new = same(model([node("Sub", ["x", "c"], ["y"])], x, ["y"], {"c": c[:, None] if axis == 1 else c}, opset=7))
    assert operators(old.program) == operators(new.program)
    assert [array.tolist() for array in old.weights.values()] == [array.tolist() for array in new.weights.values()]


@pytest.mark.parametrize("axis", [1, 2])
def test_operator_sets_before_7_say_at_which_axis_a_tensor_begins(axis: int) -> None:
    inputs = {"x": ["N", 3, 4], "c": [2 + axis]}
    made = imported(model([node("Sub", ["x", "c"], ["y"], axis=axis, broadcast=1)], inputs, ["y"], opset=6))
    x, c = torch.randn(2, 3, 4), torch.randn(2 + axis)
    assert torch.equal(netc.Model(made.program).module(dict(made.weights))(x, c), x - (c[:, None] if axis == 1 else c))


@pytest.mark.parametrize("positions", [None, [[2, 0, 1], [0, 0, 3]]], ids=["in order", "chosen"])
@pytest.mark.parametrize("rank", [3, 4])
def test_rotary_embedding(rank: int, positions: list[list[int]] | None) -> None:
    """The positions determine the angles if there are any, else the sample's own place does; NumPy is the judge."""
    generator = np.random.default_rng(0)
    x = generator.standard_normal((2, 3, 5, 4)).transpose(0, 2, 1, 3).astype(np.float32)  # [N, heads, T, features]
    angles = generator.standard_normal((4, 2) if positions else (2, 3, 2)).astype(np.float32)
    chosen = angles[np.array(positions)] if positions else angles
    cosines, sines = (f(chosen)[:, None] for f in (np.cos, np.sin))
    first, second = x[..., :2], x[..., 2:]
    wanted = np.concatenate([first * cosines - second * sines, first * sines + second * cosines], axis=-1)
    flat = (lambda a: a.transpose(0, 2, 1, 3).reshape(2, 3, 20)) if rank == 3 else lambda a: a
    inputs = {"x": flat(x), "cos": np.cos(angles), "sin": np.sin(angles)} | ({"at": np.array(positions)} if positions else {})
    shapes: Any = {name: list(array.shape) for name, array in inputs.items()}
    rotary = node("RotaryEmbedding", list(inputs), ["y"], **({"num_heads": 5} if rank == 3 else {}))
    made = from_model(model([rotary], shapes, ["y"], opset=23, types={"at": TensorProto.INT64}))
    result = netc.Model(made.program).module()(*map(torch.from_numpy, map(np.ascontiguousarray, inputs.values())))
    np.testing.assert_allclose(result.numpy(), flat(wanted), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("missing", ["q_num_heads", "kv_num_heads"])
def test_attention_of_flat_features_needs_the_numbers_of_heads(missing: str) -> None:
    heads = {name: 2 for name in ("q_num_heads", "kv_num_heads") if name != missing}
    attention = node("Attention", list("qkv"), ["y"], **heads)
    with pytest.raises(ImportFailed) as caught:
        from_model(model([attention], {name: ["N", 3, 4] for name in "qkv"}, ["y"], {}, opset=23))
    assert f"it lacks `{missing}`" in caught.value.format_lines()[0]
