"""Each quantized operator alone, in numbers that quantization does not round: the float form gives exactly what ONNX Runtime computes.

The quantizers' own files are in test_onnx_quantized.py.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import pytest
from frontends.imported import operators
from frontends.onnx_models import model, node
from frontends.onnx_parity import imported, session
from onnx import TensorProto, helper

import netc
from netc.compiler.frontends.imported_model import ImportFailed

GENERATOR = np.random.default_rng(0)
SCALE, ZERO = np.float32(0.5), np.uint8(7)
"""Of the input: it has multiples of 0.5 from -3.5 on."""


def draw(*shape: int, least: int = -3, most: int = 3, dtype: Any = np.int8) -> Any:
    return GENERATOR.integers(least, most + 1, shape).astype(dtype)


def quantized(nodes: Sequence[onnx.NodeProto], shape: Sequence[Any], constants: Mapping[str, Any], **types: int) -> onnx.ModelProto:
    given = model(nodes, {"x": shape}, ["y"], {"s": SCALE, "z": ZERO} | dict(constants), opset=19, types=types)
    given.opset_import.append(helper.make_opsetid("com.microsoft", 1))
    return given


def microsoft(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return node(op, inputs, outputs, domain="com.microsoft", **attributes)


def agree(given: onnx.ModelProto, x: Any, rounded: float = 1e-6) -> list[str]:
    """Compare with ONNX Runtime's result of the quantized file, and return the operators of the import. `rounded` is the tolerance."""
    made = imported(given, dequantize=True)
    (wanted,) = session(given).run(None, {"x": x})
    found = netc.Model(made.program).session(dict(made.weights))(x)
    np.testing.assert_allclose(np.asarray(found), wanted, rtol=1e-6, atol=rounded)
    assert len(np.unique(wanted)) > 3
    return operators(made.program)


def multiples(*shape: int) -> Any:
    """Floats that the input's scale and zero point represent without rounding."""
    return draw(*shape, least=-3, most=3, dtype=np.float32) * SCALE


READ = [node("QuantizeLinear", ["x", "s", "z"], ["q"])]
WRITE = [node("DequantizeLinear", ["r", "ys", "yz"], ["y"])]
OUT = {"ys": np.float32(0.125), "yz": np.uint8(128)}
"""Of the results: multiples of 0.125 from -16 to 15.875, which no result leaves, since the float form does not saturate."""
WEIGHT = {"ws": np.float32(0.25), "wz": np.int8(1)}


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("bias", [False, True])
def test_convolution(per_channel: bool, bias: bool) -> None:
    scales = {"ws": np.float32([0.25, 0.5, 0.5]), "wz": np.zeros(3, np.int8)} if per_channel else WEIGHT
    constants = {"w": draw(3, 2, 2, 2, least=-2, most=2), "b": draw(3, dtype=np.int32), **scales, **OUT}
    conv = node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "ys", "yz", *["b"] * bias], ["r"], kernel_shape=[2, 2], strides=[2, 1])
    assert agree(quantized([*READ, conv, *WRITE], ["N", 2, 4, 5], constants), multiples(3, 2, 4, 5)) == ["conv"]


@pytest.mark.parametrize("per_column", [False, True])
def test_product(per_column: bool) -> None:
    scales = {"ws": np.float32([0.25, 0.5, 0.5, 0.25]), "wz": np.array([0, 1, -1, 2], np.int8)} if per_column else WEIGHT
    product = node("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], ["r"])
    given = quantized([*READ, product, *WRITE], ["N", 3], {"w": draw(3, 4), **scales, **OUT})
    assert agree(given, multiples(5, 3)) == ["dense"]


@pytest.mark.parametrize("transposed", [0, 1])
@pytest.mark.parametrize("rounded", [False, True])
def test_product_with_a_bias(transposed: int, rounded: bool) -> None:
    """Without a scale of the result, the result is floats."""
    scales = {"ws": np.float32([0.25, 0.5, 0.5, 0.25]), "wz": np.array([0, 1, -1, 2], np.int8)}
    w = draw(4, 3) if transposed else draw(3, 4)
    product = microsoft(
        "QGemm", ["q", "s", "z", "w", "ws", "wz", "c", *["ys", "yz"] * rounded], ["r" if rounded else "y"], transB=transposed
    )
    constants = {"w": w, "c": draw(4, dtype=np.int32), **scales, **OUT}
    given = quantized([*READ, product, *(WRITE if rounded else [])], ["N", 3], constants)
    assert agree(given, multiples(5, 3)) == ["dense"]


def full_range(*shape: int) -> Any:
    """Integers from 0 to 255, which a dynamic quantization represents with a scale of 1."""
    x = GENERATOR.integers(0, 256, shape).astype(np.float32)
    x.flat[:2] = 0, 255
    return x


@pytest.mark.parametrize("op", ["MatMulInteger", "ConvInteger"])
@pytest.mark.parametrize("per_channel", [False, True])
def test_integer_products_of_dynamic_scales(op: str, per_channel: bool) -> None:
    """The scale of the result is the product of the input's and the weight's, in nodes of its own."""
    is_conv = op == "ConvInteger"
    shape = (3, 2, 2, 2) if is_conv else (4, 3)
    scales = np.float32([0.25, 0.5, 2]).reshape((3, 1, 1) if is_conv else (3,)) if per_channel else np.float32(0.25)
    constants = {"w": draw(*shape), "ws": scales, "wz": np.int8(0 if is_conv else 2)}
    nodes = [
        node("DynamicQuantizeLinear", ["x"], ["q", "xs", "xz"]),
        node(op, ["q", "w", "xz", *([] if is_conv else ["wz"])], ["i"]),
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["xs", "ws"], ["both"]),
        node("Mul", ["f", "both"], ["y"]),
    ]
    x = full_range(2, 2, 4, 5) if is_conv else full_range(5, 4)
    assert agree(quantized(nodes, ["N", *x.shape[1:]], constants), x) == ["conv" if is_conv else "dense"]


def test_integer_product_of_rows_of_a_table() -> None:
    """The product of the scales of the table and of the weight is one node. The rows are floats after the import."""
    constants = {"t": draw(9, 4, least=0, most=20, dtype=np.uint8), "ts": np.float32(0.5), "tz": np.uint8(3), "w": draw(4, 3)}
    nodes = [
        node("Gather", ["t", "x"], ["q"]),
        node("MatMulInteger", ["q", "w", "tz"], ["i"]),
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["ts", "ws"], ["both"]),
        node("Mul", ["f", "both"], ["y"]),
    ]
    given = quantized(nodes, ["N", 5], {**constants, "ws": np.float32(0.25)}, x=TensorProto.INT64)
    assert agree(given, draw(2, 5, least=0, most=8, dtype=np.int64)) == ["embedding", "dense"]


def test_integer_product_of_an_input_of_integers() -> None:
    constants = {"w": draw(4, 3), "xz": np.uint8(3), "ws": np.float32(0.25)}
    nodes = [
        node("MatMulInteger", ["x", "w", "xz"], ["i"]),
        node("Cast", ["i"], ["f"], to=TensorProto.FLOAT),
        node("Mul", ["f", "ws"], ["y"]),
    ]
    given = quantized(nodes, ["N", 4], constants, x=TensorProto.UINT8)
    assert "dense" in agree(given, draw(5, 4, least=0, most=9, dtype=np.uint8))


def test_rows_of_a_table_that_are_dequantized_after_the_lookup() -> None:
    nodes = [node("Gather", ["t", "x"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    given = quantized(nodes, ["N", 5], {"t": draw(9, 4, least=0, most=20, dtype=np.uint8)}, x=TensorProto.INT64)
    assert agree(given, draw(2, 5, least=0, most=8, dtype=np.int64)) == ["embedding"]


@pytest.mark.parametrize("bias", [False, True])
def test_products_of_several_steps_in_one(bias: bool) -> None:
    constants = {"w": draw(4, 3), "ws": np.float32([0.25, 0.5, 2]), "wz": np.array([1, 0, -2], np.int8)}
    constants |= {"b": draw(3, dtype=np.float32)} if bias else {}
    dynamic = microsoft("DynamicQuantizeMatMul", ["x", "w", "ws", "wz", *["b"] * bias], ["y"])
    assert agree(quantized([dynamic], ["N", 4], constants), full_range(5, 4))[0] == "dense"
    product = microsoft("MatMulIntegerToFloat", ["q", "w", "s", "ws", "z", "wz", *["b"] * bias], ["y"])
    assert agree(quantized([*READ, product], ["N", 4], constants), multiples(5, 4))[0] == "dense"


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("zeros", [False, True])
def test_few_bits_in_blocks(bits: int, zeros: bool) -> None:
    """Two blocks of 16 numbers in each row of the weight, the last of them not full."""
    constants = {"w": draw(3, 2, 16 * bits // 8, least=0, most=255, dtype=np.uint8), "ws": np.float32([0.5, 1, 2, 0.25, 4, 1])}
    if zeros:
        constants["wz"] = draw(3 * (1 if bits == 4 else 2), least=0, most=255, dtype=np.uint8)
    product = microsoft("MatMulNBits", ["x", "w", "ws", *["wz"] * zeros], ["y"], N=3, K=24, bits=bits, block_size=16)
    assert agree(quantized([product], ["N", 24], constants), multiples(5, 24)) == ["dense"]


QUANTIZED = ["q", "s", "z", "ys", "yz"]
PAIR = ["q", "s", "z", "c", "ws", "wz", "ys", "yz"]
POOL = {"kernel_shape": [2, 2], "strides": [2, 1]}
EXACT: dict[str, tuple[onnx.NodeProto, list[str]]] = {
    "add": (microsoft("QLinearAdd", PAIR, ["r"]), ["add"]),
    "mul": (microsoft("QLinearMul", PAIR, ["r"]), ["mul"]),
    "concat": (microsoft("QLinearConcat", ["ys", "yz", "q", "s", "z", "q", "s", "z"], ["r"], axis=1), ["concat"]),
    "leaky_relu": (microsoft("QLinearLeakyRelu", QUANTIZED, ["r"], alpha=0.25), ["leaky_relu"]),
    "avg_pool": (microsoft("QLinearAveragePool", QUANTIZED, ["r"], **POOL), ["avg_pool"]),
}
"""Operators on integers whose results are multiples of the scale of the result."""


@pytest.mark.parametrize("name", EXACT)
def test_operators_on_integers(name: str) -> None:
    layer, expected = EXACT[name]
    constants = {"c": draw(2, 1, 1, least=0, most=6, dtype=np.uint8), "ws": np.float32(0.25), "wz": np.uint8(1), **OUT}
    found = agree(quantized([*READ, layer, *WRITE], ["N", 2, 4, 5], constants), multiples(3, 2, 4, 5))
    assert [operator for operator in found if operator != "param"] == expected


@pytest.mark.parametrize(
    ("layer", "expected"),
    [
        (microsoft("QLinearSigmoid", QUANTIZED, ["r"]), "sigmoid"),
        (microsoft("QLinearSoftmax", QUANTIZED, ["r"], opset=13, axis=-1), "softmax"),
        (microsoft("QLinearGlobalAveragePool", QUANTIZED, ["r"]), "adaptive_avg_pool"),
    ],
)
def test_operators_that_round(layer: onnx.NodeProto, expected: str) -> None:
    """The result is the nearest multiple of a 128th, in the middle of two of which sums may be."""
    constants = {"ys": np.float32(1 / 128), "yz": np.uint8(128 if expected == "adaptive_avg_pool" else 0)}
    given = quantized([*READ, layer, *WRITE], ["N", 2, 4, 5], constants)
    assert agree(given, multiples(3, 2, 4, 5), rounded=0.51 / 128) == [expected]


@pytest.mark.parametrize(("zero", "rectified"), [(0, 1), (1, 0)])
def test_a_least_integer_of_0_is_a_relu(zero: int, rectified: int) -> None:
    product = node("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], ["r"])
    constants = {"w": np.eye(3, dtype=np.int8), "ws": np.float32(1), "wz": np.int8(0), "ys": np.float32(0.5), "yz": np.uint8(zero)}
    given = quantized([*READ, product, *WRITE], ["N", 3], constants)
    if rectified:
        assert agree(given, multiples(9, 3)) == ["dense", "relu"]
    else:
        assert operators(imported(given, dequantize=True).program) == ["dense"]


def test_padding_of_integers_is_0() -> None:
    nodes = [*READ, node("Pad", ["q", "pads", "z"], ["r"]), node("DequantizeLinear", ["r", "s", "z"], ["y"])]
    given = quantized(nodes, ["N", 3], {"pads": np.array([0, 1, 0, 2])})
    assert agree(given, multiples(9, 3)) == ["pad"]


@pytest.mark.parametrize(
    ("nodes", "why"),
    [
        ([*READ, node("Cast", ["q"], ["y"], to=TensorProto.INT64)], "makes other integers of quantized numbers"),
        ([*READ, microsoft("QLinearAveragePool", QUANTIZED, ["r"], channels_last=1, **POOL), *WRITE], "has its channels last"),
        ([microsoft("MatMulNBits", ["x", "w", "ws"], ["y"], N=3, K=4, bits=3, block_size=16)], "has 3 bits in blocks of 16"),
        ([*READ, node("BitwiseNot", ["q"], ["y"])], "computes with quantized numbers"),
    ],
)
def test_what_is_refused(nodes: list[onnx.NodeProto], why: str) -> None:
    given = quantized(nodes, ["N", 4], {**OUT, **WEIGHT, "w": draw(3, 1, 8, least=0, dtype=np.uint8)})
    with pytest.raises(ImportFailed) as caught:
        imported(given, dequantize=True)
    assert why in caught.value.format_lines()[0]


@pytest.mark.parametrize("kind", ["int4", "uint4"])
@pytest.mark.parametrize("blocked", [False, True])
def test_integers_of_four_bits(kind: str, blocked: bool) -> None:
    """Numbers by hand: ONNX Runtime computes such products with rounded inputs."""
    stored = draw(4, 3, least=-8, most=7) if kind == "int4" else draw(4, 3, least=0, most=15)
    zero = draw(2, 3, least=0, most=7) if blocked else draw(3, least=0, most=7)
    scale = np.float32([[0.5, 0.25, 2], [1, 0.125, 4]] if blocked else [0.5, 0.25, 2])
    read = node("DequantizeLinear", ["w", "s", "z"], ["real"], **({"axis": 0, "block_size": 2} if blocked else {"axis": 1}))
    given = model([read, node("MatMul", ["x", "real"], ["y"])], {"x": ["N", 4]}, ["y"], {"s": scale}, opset=21)
    number = getattr(TensorProto, kind.upper())
    given.graph.initializer.extend(helper.make_tensor(n, number, a.shape, a.ravel().tolist()) for n, a in (("w", stored), ("z", zero)))
    made = imported(given, dequantize=True)
    wide = (lambda a: np.repeat(a, 2, 0)) if blocked else (lambda a: a)
    weight = (stored.astype(np.int64) - wide(zero.astype(np.int64))) * wide(scale)
    np.testing.assert_array_equal(made.weights["dense1.weight"], weight.T)


@pytest.mark.parametrize("before", [["relu"], []], ids=["rectified", "not rectified"])
def test_a_rectifier_before_a_pool_is_no_second_one(before: list[str]) -> None:
    """The least integer of the result is 0. A pool keeps negative numbers, if the tensor before it has any."""
    first = "Relu" if before else "Identity"
    pool = [node(first, ["f"], ["h"]), node("MaxPool", ["h"], ["p"], kernel_shape=[2, 2])]
    layers = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("DequantizeLinear", ["q", "s", "z"], ["f"]), *pool]
    again = [node("QuantizeLinear", ["p", "ys", "yz"], ["r"]), *WRITE]
    constants = {"ys": np.float32(SCALE), "yz": np.uint8(0)}
    given = quantized([*layers, *again], ["N", 2, 4, 5], constants)
    assert agree(given, multiples(3, 2, 4, 5)) == [*before, "max_pool", *(() if before else ["relu"])]


def test_outputs_that_were_integers_are_named() -> None:
    nodes = [*READ, node("DequantizeLinear", ["q", "s", "z"], ["y"])]
    given = quantized(nodes, ["N", 3], {})
    said = "Outputs that were quantized numbers are floats"
    assert not any(said in note for note in imported(given, dequantize=True).notes)
    given.graph.output[0].CopyFrom(onnx.helper.make_tensor_value_info("q", onnx.TensorProto.UINT8, ["N", 3]))
    assert f"{said}: q." in imported(given, dequantize=True).notes
