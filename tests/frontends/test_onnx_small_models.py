"""One small model for each importer and folder that only the long tests ran: ONNX Runtime is the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from frontends.imported import operators
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import TensorProto, helper

GENERATOR = np.random.default_rng(0)


def draw(*shape: int) -> Any:
    return GENERATOR.standard_normal(shape).astype(np.float32)


def microsoft(op: str, inputs: list[str], outputs: list[str], **attributes: Any) -> Any:
    return node(op, inputs, outputs, domain="com.microsoft", **attributes)


SHAPE = node("Shape", ["x"], ["shape"])
SIZES: dict[str, list[Any]] = {
    "chosen by a constant condition": [
        SHAPE,
        node("Where", ["test", "shape", "minus"], ["new"]),
        node("Reshape", ["x", "new"], ["y"]),
    ],
    "through Reshape and Identity": [
        SHAPE,
        node("Gather", ["shape", "two"], ["size"]),
        node("Reshape", ["size", "one_item"], ["list"]),
        node("Identity", ["list"], ["same"]),
        node("Concat", ["minus1", "same"], ["new"], axis=0),
        node("Reshape", ["x", "new"], ["y"]),
    ],
    "of a filled tensor": [
        SHAPE,
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("Shape", ["zeros"], ["again"]),
        node("Slice", ["again", "zero1", "two1"], ["new"]),
        node("Expand", ["one", "new"], ["ones"]),
        node("Unsqueeze", ["ones", "two1"], ["column"]),
        node("Add", ["x", "column"], ["y"]),
    ],
    "arithmetic of filled tensors": [
        SHAPE,
        node("ConstantOfShape", ["shape"], ["zeros"]),
        node("Add", ["zeros", "three"], ["threes"]),
        node("Mul", ["threes", "threes"], ["nines"]),
        node("Sub", ["x", "nines"], ["y"]),
    ],
    "remainders": [
        SHAPE,
        node("Gather", ["shape", "two"], ["size"]),
        node("Mod", ["size", "five"], ["rest"]),
        node("Sub", ["size", "rest"], ["whole"]),
        node("Unsqueeze", ["whole", "zero1"], ["end"]),
        node("Slice", ["x", "zero1", "end", "two1"], ["y"]),
    ],
}
NUMBERS = {
    "test": np.array([True, True, False]),
    "minus": np.array([-1, -1, -1]),
    "minus1": np.array([-1]),
    "two": np.array(2),
    "five": np.array(5),
    "one_item": np.array([1]),
    "zero1": np.array([0]),
    "two1": np.array([2]),
    "one": np.float32(1),
    "three": np.float32(3),
}


@pytest.mark.parametrize("name", SIZES)
def test_sizes_that_are_computed(name: str) -> None:
    """No operator computes with sizes at run time."""
    made = same(model(SIZES[name], {"x": ["N", 3, "T"]}, ["y"], NUMBERS), sizes={"T": (7, 11)})
    assert not {"where", "floor_divide", "remainder", "shape"} & {*operators(made.program)}


@pytest.mark.parametrize("norm", ["layer_norm", "instance_norm", "group_norm"])
@pytest.mark.parametrize("shifted", [False, True])
def test_a_scale_after_a_normalization(norm: str, shifted: bool) -> None:
    """It is the normalization's own weight, under the name of the module that had it."""
    shape = {"layer_norm": [6], "instance_norm": [4, 1], "group_norm": [4, 1]}[norm]
    numbers = {"part.norm.weight": draw(*shape), "part.norm.bias": draw(*shape), "/ones": np.ones(shape[0], np.float32)}
    numbers |= {"/zeros": np.zeros(shape[0], np.float32), "twos": np.array([0, 2, -1]), "/groups": np.ones(2, np.float32)}
    numbers |= {"/none": np.zeros(2, np.float32)}
    plain = {
        "layer_norm": [node("LayerNormalization", ["x", "/ones"], ["n"], axis=-1)],
        "instance_norm": [node("InstanceNormalization", ["x", "/ones", "/zeros"], ["n"])],
        "group_norm": [
            SHAPE,
            node("Reshape", ["x", "twos"], ["grouped"]),
            node("InstanceNormalization", ["grouped", "/groups", "/none"], ["m"]),
            node("Reshape", ["m", "shape"], ["n"]),
        ],
    }[norm]
    nodes = [*plain, node("Mul", ["n", "part.norm.weight"], ["scaled" if shifted else "y"])]
    nodes += [node("Add", ["scaled", "part.norm.bias"], ["y"])] if shifted else []
    made = same(model(nodes, {"x": ["N", 4, 6]}, ["y"], numbers))
    assert operators(made.program) == [norm]
    np.testing.assert_array_equal(made.weights["part.norm.weight"], numbers["part.norm.weight"].reshape(-1))


FUSED: dict[str, tuple[Any, dict[str, Any], list[str]]] = {
    "BiasGelu": (microsoft("BiasGelu", ["x", "b"], ["y"]), {"b": draw(6)}, ["param", "add", "gelu"]),
    "FastGelu with a bias": (microsoft("FastGelu", ["x", "b"], ["y"]), {"b": draw(6)}, ["param", "add", "gelu"]),
    "FastGelu": (microsoft("FastGelu", ["x"], ["y"]), {}, ["gelu"]),
    "SkipLayerNormalization": (
        microsoft("SkipLayerNormalization", ["x", "r", "g", "b"], ["y"], epsilon=0.01),
        {"r": draw(1, 4, 6), "g": draw(6), "b": draw(6)},
        ["param", "add", "layer_norm"],
    ),
    "SkipLayerNormalization with a bias": (
        microsoft("SkipLayerNormalization", ["x", "r", "g", "b", "c"], ["y"], epsilon=0.01),
        {"r": draw(1, 4, 6), "g": draw(6), "b": draw(6), "c": draw(6)},
        ["param", "add", "param", "add", "layer_norm"],
    ),
    "GroupNormalization, a number for each group": (
        node("GroupNormalization", ["x", "g", "b"], ["y"], num_groups=2),
        {"g": draw(2), "b": draw(2)},
        ["group_norm"],
    ),
}


@pytest.mark.parametrize("name", FUSED)
def test_fused_operators(name: str) -> None:
    layer, numbers, expected = FUSED[name]
    given = model([layer], {"x": [1, 4, 6]}, ["y"], numbers, opset=18)
    given.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    assert sorted(operators(same(given).program)) == sorted(expected)


@pytest.mark.parametrize("mask", ["", "bool", "float"])
@pytest.mark.parametrize("past", [False, True])
def test_causal_attention(mask: str, past: bool) -> None:
    """With an explicit mask, and with keys and values of earlier positions."""
    inputs: dict[str, Any] = {name: [2, 3, 5, 4] for name in "qkv"}
    before = 2 if past else 0
    numbers: dict[str, Any] = {}
    if mask:
        seen = GENERATOR.random((5, 5 + before)) > 0.4
        seen[:, 0] = True
        numbers["mask"] = seen if mask == "bool" else draw(5, 5 + before)
    if past:
        inputs |= {"pk": [2, 3, before, 4], "pv": [2, 3, before, 4]}
    arguments = ["q", "k", "v", "mask" if mask else "", *(["pk", "pv"] if past else [])]
    outputs = ["y", "keys", "values"] if past else ["y"]
    made = same(model([node("Attention", arguments, outputs, is_causal=1)], inputs, outputs, numbers, opset=23))
    assert "attention" in operators(made.program)


@pytest.mark.parametrize("auto_pad", ["SAME_UPPER", "SAME_LOWER"])
@pytest.mark.parametrize("stride", [1, 2, 3])
def test_padding_that_keeps_the_size(auto_pad: str, stride: int) -> None:
    """Divided by the stride and rounded up, of sizes that leave each remainder."""
    for size in (6, 7, 8):
        layer = node("Conv", ["x", "w"], ["y"], kernel_shape=[4, 3], strides=[stride, stride], auto_pad=auto_pad)
        same(model([layer], {"x": ["N", 2, size, size + 1]}, ["y"], {"w": draw(3, 2, 4, 3)}))
    if stride == 1:
        layer = node("Conv", ["x", "w"], ["y"], kernel_shape=[3, 5], auto_pad=auto_pad)
        same(model([layer], {"x": ["N", 2, "H", "W"]}, ["y"], {"w": draw(3, 2, 3, 5)}))


@pytest.mark.parametrize("axis", [0, 1, -1])
def test_constants_that_the_import_computes(axis: int) -> None:
    """The result is added to an input, so that it is a table or a parameter."""
    index = np.array([[1, 0, 1]] if axis == 0 else [[2], [0]])
    gathered = [node("GatherElements", ["c", "i"], ["g"], axis=axis), node("Add", ["x", "g"], ["y"])]
    same(model(gathered, {"x": ["N", *index.shape]}, ["y"], {"c": draw(2, 3), "i": index}))


def test_constants_with_a_scale_for_each_block() -> None:
    numbers = {"c": GENERATOR.integers(-9, 9, (4, 6)).astype(np.int8), "s": draw(4, 2), "z": np.array([[1, -2]] * 4, np.int8)}
    nodes = [node("DequantizeLinear", ["c", "s", "z"], ["d"], axis=1, block_size=3), node("Add", ["x", "d"], ["y"])]
    same(model(nodes, {"x": ["N", 4, 6]}, ["y"], numbers, opset=21), dequantize=True)


@pytest.mark.parametrize("per_axis", [False, True])
def test_integers_that_are_dequantized_at_run_time(per_axis: bool) -> None:
    numbers = {"s": draw(3) if per_axis else np.float32(0.5), "z": np.array([1, 200, 9] if per_axis else 200, np.uint8)}
    given = model(
        [node("DequantizeLinear", ["x", "s", "z"], ["y"], axis=1)], {"x": ["N", 3, 4]}, ["y"], numbers, types={"x": TensorProto.UINT8}
    )
    same(given, limits={"x": 256}, dequantize=True)


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2"])
@pytest.mark.parametrize("kind", [TensorProto.INT32, TensorProto.INT64, TensorProto.FLOAT, TensorProto.DOUBLE], ids=str)
@pytest.mark.parametrize("axes", [[1], [-1, 1], None])
def test_norms(op: str, kind: int, axes: list[int] | None) -> None:
    """The norm of integers is an integer."""
    given = model(
        [node(op, ["x", *(["axes"] if axes else [])], ["y"])], {"x": ["N", 3, 4]}, ["y"], {"axes": axes} if axes else {}, 18, {"x": kind}
    )
    given.graph.output[0].type.tensor_type.elem_type = kind
    same(given, limits={"x": 9})


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2"])
def test_norms_of_no_axes(op: str) -> None:
    same(model([node(op, ["x"], ["y"], noop_with_empty_axes=1)], {"x": ["N", 3, 4]}, ["y"], opset=18))
    same(model([node("ReduceSum", ["x"], ["s"], keepdims=0), node(op, ["s"], ["y"])], {"x": ["N", 3, 4]}, ["y"], opset=18))
