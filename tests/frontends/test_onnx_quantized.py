"""Quantized files as float models. ONNX Runtime's quantizers make them of a float model, which is what must come back, as far as its
numbers were kept; the proof compares it with what ONNX Runtime computes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.onnx_models import model, node
from onnx import TensorProto
from onnxruntime import quantization
from onnxruntime.quantization import QuantFormat, QuantType
from onnxruntime.quantization.matmul_nbits_quantizer import MatMulNBitsQuantizer
from torch import nn

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model
from netc.importing.onnx_origin import make_onnx_origin
from netc.importing.run_import import ImportedSpec, import_spec
from tests.byte_products import needs_exact_products

pytestmark = [pytest.mark.long, pytest.mark.filterwarnings("ignore")]


class Pictures(nn.Module):
    """Convolutions, branches, a product: rectifiers that a quantizer leaves out."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.norm = nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8)
        self.left, self.right = nn.Conv2d(8, 8, 3, stride=2), nn.Conv2d(8, 8, 3, stride=2)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Any) -> Any:
        x = torch.relu(self.norm(self.first(x)))
        x = torch.relu(self.left(x)) + torch.sigmoid(self.right(x))
        return self.head(torch.cat([x, x], 1).mean((2, 3)))


class Words(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.up, self.down = nn.Embedding(50, 64), nn.Linear(64, 128), nn.Linear(128, 32)

    def forward(self, tokens: Any) -> Any:
        return self.down(nn.functional.gelu(self.up(self.embed(tokens))))


class Samples(quantization.CalibrationDataReader):  # type: ignore[misc]
    def __init__(self) -> None:
        self.left = iter([{"x": np.random.default_rng(k).standard_normal((2, 3, 16, 16)).astype(np.float32)} for k in range(8)])

    def get_next(self) -> Any:
        return next(self.left, None)


def exported(module: nn.Module, example: torch.Tensor, folder: Path, axes: dict[int, str]) -> str:
    path = str(folder / "float.onnx")
    torch.onnx.export(module.eval(), (example,), path, dynamo=False, input_names=["x"], output_names=["y"], dynamic_axes={"x": axes})
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    torch.manual_seed(0)
    return exported(Pictures(), torch.randn(1, 3, 16, 16), tmp_path, {0: "N"})


@pytest.fixture
def words(tmp_path: Path) -> str:
    torch.manual_seed(0)
    return exported(Words(), torch.randint(0, 50, (2, 5)), tmp_path, {0: "N", 1: "T"})


def is_the_float_model(quantized: str, original: str, tolerance: float) -> ImportedSpec:
    """It has the same operators and keys as the model that was quantized, and its weights as far as they were kept."""
    made, wanted = import_spec(make_onnx_origin(quantized, {}, dequantize=True)), import_spec(make_onnx_origin(original, {}))
    lines = [[line for line in spec.text.splitlines() if line and not line.startswith("#")] for spec in (made, wanted)]
    assert lines[0] == lines[1]
    assert set(made.model.weights) == set(wanted.model.weights)
    for key, array in wanted.model.weights.items():
        np.testing.assert_allclose(made.model.weights[key], array, atol=tolerance * float(np.abs(array).max()))
    assert made.proof is not None
    assert made.proof.rounded is not None
    assert made.proof.rounded < 0.05
    return made


@needs_exact_products
@pytest.mark.parametrize("form", [QuantFormat.QDQ, QuantFormat.QOperator])
@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("activations", [QuantType.QUInt8, QuantType.QInt8])
def test_static(pictures: str, tmp_path: Path, form: Any, per_channel: bool, activations: Any) -> None:
    path = str(tmp_path / "quantized.onnx")
    options = {"activation_type": activations, "weight_type": QuantType.QInt8, "per_channel": per_channel}
    quantization.quantize_static(pictures, path, Samples(), quant_format=form, **options)
    made = is_the_float_model(path, pictures, 0.02)
    assert "The file is quantized" in made.text
    assert "the quantized file differs by" in made.format_report()


@needs_exact_products
@pytest.mark.parametrize("per_channel", [False, True])
def test_dynamic(pictures: str, words: str, tmp_path: Path, per_channel: bool) -> None:
    path = str(tmp_path / "quantized.onnx")
    for original in (pictures, words):
        quantization.quantize_dynamic(original, path, per_channel=per_channel)
        is_the_float_model(path, original, 0.02)


@pytest.mark.parametrize("bits", [4, 8])
@pytest.mark.parametrize("symmetric", [False, True])
def test_few_bits(words: str, tmp_path: Path, bits: int, symmetric: bool) -> None:
    """Nothing but weights is rounded, so it is the same to the bounds of floats."""
    quantizer = MatMulNBitsQuantizer(onnx.load(words), block_size=32, is_symmetric=symmetric, bits=bits)
    quantizer.process()
    path = str(tmp_path / "quantized.onnx")
    quantizer.model.save_model_to_file(path)
    made = is_the_float_model(path, words, 0.15 if bits == 4 else 0.02)
    assert made.proof is not None
    assert made.proof.rounded is not None
    assert made.proof.rounded < 1e-5


def test_python_and_the_refusal(words: str, tmp_path: Path) -> None:
    path = str(tmp_path / "quantized.onnx")
    quantization.quantize_dynamic(words, path)
    with pytest.raises(ImportFailed) as caught:
        netc.from_onnx(path)
    assert all("`--dequantize`" in line for line in caught.value.format_lines())
    assert "embed.weight" in netc.from_onnx(path, dequantize=True).parameters


def test_what_has_no_float_form() -> None:
    """Integers that are computed with as such."""
    numbers = {"s": np.float32(0.1), "z": np.uint8(3)}
    nodes = [node("QuantizeLinear", ["x", "s", "z"], ["q"]), node("BitwiseNot", ["q"], ["y"])]
    given = model(nodes, {"x": ["N", 4]}, ["y"], numbers, opset=18)
    with pytest.raises(ImportFailed) as caught:
        from_model(given, dequantize=True)
    assert caught.value.format_lines() == ("BitwiseNot computes with quantized numbers (in `y`)",)


def test_integers_that_are_inputs() -> None:
    numbers = {"s": np.float32(0.5), "z": np.uint8(3), "w": np.ones((4, 2), np.float32)}
    nodes = [node("DequantizeLinear", ["x", "s", "z"], ["f"]), node("MatMul", ["f", "w"], ["y"])]
    given = model(nodes, {"x": ["N", 4]}, ["y"], numbers, types={"x": TensorProto.UINT8})
    made = netc.Model(from_model(given, dequantize=True).program)
    module = made.module({"dense1.weight": np.ones((2, 4), np.float32)})
    found = module(torch.tensor([[0, 3, 4, 255]], dtype=torch.uint8))
    assert found.tolist() == [[125.0, 125.0]]
