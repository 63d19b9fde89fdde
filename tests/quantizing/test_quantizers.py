"""Networks of the zoo, quantized: how many of their products with weights become integer ones, by ONNX Runtime's quantizer on the file as
it is, and by `--quantize`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnxruntime.quantization import CalibrationDataReader, quantize_dynamic, quantize_static

import netc
from netc.compiler.backends.onnx.quantizing.products import find_products
from netc.compiler.weights.initial import InitialValues
from netc.inputs.random_inputs import choose_input_shapes, draw_array
from tests.byte_products import needs_exact_products

TEXT = {"width": 64, "depth": 2, "heads": 4, "vocabulary": 200}
NETWORKS: dict[str, tuple[str, str, Mapping[str, object], int]] = {
    "llama": ("specs/text/llama.net", "network", {**TEXT, "shared_heads": 2, "hidden": 128}, 15),
    "gpt2": ("specs/text/gpt2.net", "network", {**TEXT, "context": 64}, 9),
    "distilbert": ("specs/text/distilbert.net", "network", {**TEXT, "context": 64}, 12),
    "vit": ("specs/vision/vit.net", "network", {"patch": 8, "width": 64, "depth": 2, "heads": 4, "classes": 10, "size": 32}, 10),
    "resnet18": ("specs/vision/resnet.net", "resnet18", {"classes": 10}, 21),
}
"""The file, the model, its parameters, and its products with weights: 7 for each layer of Llama, 4 for one of GPT-2, ..."""
OPERATORS = ["MatMul", "Gemm", "Conv"]
TIED = {("gpt2", "dynamic"): 1}
"""Products left by the quantizer of ONNX Runtime alone: GPT-2's scores take the table of embeddings transposed, which is stored once."""


def model_of(name: str) -> netc.Model:
    path, model, params, _ = NETWORKS[name]
    return netc.compile_file(path, model=model, params=params, dims={"H": 64, "W": 64} if name == "resnet18" else None)


def inputs_of(model: netc.Model) -> dict[str, np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    shapes = choose_input_shapes(model.program)
    drawn = {name: draw_array(type.dtype, shapes[name], generator) for name, type in model.inputs.items()}
    return drawn | ({"mask": np.ones_like(drawn["mask"])} if "mask" in drawn else {})


class Reader(CalibrationDataReader):  # type: ignore[misc]
    def __init__(self, batch: dict[str, Any]) -> None:
        self.left: Iterator[dict[str, Any]] = iter([batch, batch])

    def get_next(self) -> dict[str, Any] | None:
        return next(self.left, None)


def weights(model: netc.Model) -> dict[str, np.ndarray[Any, Any]]:
    """Drawn, and none of them all zeros: a head that begins so would have no scores to compare."""
    generator = np.random.default_rng(1)
    drawn = InitialValues(model.parameters, 0)
    zeros = {name: array.shape for name, array in drawn.items() if array.dtype == np.float32 and not array.any()}
    return {**drawn, **{name: generator.standard_normal(shape, np.float32) / 10 for name, shape in zeros.items()}}


def change(one: Path, other: Path, inputs: Mapping[str, Any]) -> float:
    """The root mean square of the change of the outputs, relative to the root mean square of the outputs."""
    exact, found = (onnxruntime.InferenceSession(path).run(None, inputs)[0] for path in (one, other))
    return float(np.sqrt(np.mean((exact - found) ** 2) / np.mean(exact**2)))


@needs_exact_products
@pytest.mark.long
@pytest.mark.parametrize("kind", ["dynamic", "static", "dynamic without options"])
@pytest.mark.parametrize("name", NETWORKS)
def test_onnx_runtime_alone(name: str, kind: str, tmp_path: Path) -> None:
    """On the file as it is. The dynamic one takes ONNX's Attention for its own: it gets the names of the operators, or a file of opset 22,
    which does not have Attention."""
    model, (source, target) = model_of(name), (tmp_path / "float.onnx", tmp_path / "integers.onnx")
    model.save(source, weights(model), opset=22 if kind == "dynamic without options" else 23)
    inputs = inputs_of(model)
    if kind == "dynamic":
        quantize_dynamic(source, target, op_types_to_quantize=OPERATORS)
    elif kind == "dynamic without options":
        quantize_dynamic(source, target)
    else:
        quantize_static(source, target, Reader(inputs))
    before, after = find_products(onnx.load(source)), find_products(onnx.load(target))
    count = NETWORKS[name][3]
    assert (len(before), len(after), sum(p.quantized for p in before)) == (count, count, 0)
    assert sum(not p.quantized for p in after) == TIED.get((name, kind), 0), [p.name for p in after if not p.quantized]
    assert 0 < change(source, target, inputs) < 0.2


@needs_exact_products
@pytest.mark.long
@pytest.mark.parametrize("kind", ["dynamic", "static", "int4"])
@pytest.mark.parametrize("name", NETWORKS)
def test_by_netc(name: str, kind: str, tmp_path: Path) -> None:
    model, (source, target) = model_of(name), (tmp_path / "float.onnx", tmp_path / "integers.onnx")
    model.save(source, weights(model))
    inputs = inputs_of(model)
    found = model.save(
        target, weights(model), quantize="int4" if kind == "int4" else "int8", calibration=inputs if kind == "static" else None
    )
    assert found is not None
    convolutions = {"vit": 1, "resnet18": 20}.get(name, 0) if kind == "int4" else 0
    assert (found.products, found.quantized) == (NETWORKS[name][3], NETWORKS[name][3] - convolutions)
    assert found.bytes_before == pytest.approx(source.stat().st_size, rel=1e-3)
    assert 0 < change(source, target, inputs) < (0.25 if kind == "int4" else 0.05)


@pytest.mark.long
@pytest.mark.parametrize("opset", [17, 20, 25])
@pytest.mark.parametrize("method", ["int8", "int4"])
def test_other_opsets(method: str, opset: int, tmp_path: Path) -> None:
    model, (source, target) = model_of("gpt2"), (tmp_path / "float.onnx", tmp_path / "integers.onnx")
    model.save(source, weights(model), opset=opset)
    found = model.save(target, weights(model), opset=opset, quantize=method)
    assert found is not None
    assert (found.products, found.quantized) == (9, 9)
    assert next(used.version for used in onnx.load(target).opset_import if used.domain == "") >= opset
    assert 0 < change(source, target, inputs_of(model)) < (0.2 if method == "int4" else 0.05)


@needs_exact_products
@pytest.mark.parametrize("text", ["dense 8 as d -> d", "dense 8 as d -> relu -> d"])
def test_a_weight_that_products_share(text: str, tmp_path: Path) -> None:
    """ONNX Runtime's quantizer transposes a weight once for each `Gemm` that takes it."""
    model = netc.compile(f"shared d = dense 8; x = input 8; x -> {text.replace('dense 8 as d', 'd')}")
    x = np.random.default_rng(0).standard_normal((16, 8), np.float32)
    for method in ("int8", "int4"):
        model.save(tmp_path / "float.onnx", seed=1)
        found = model.save(tmp_path / "m.onnx", seed=1, quantize=method)
        assert found is not None
        assert (found.quantized, found.products) == (2, 2)
        assert change(tmp_path / "float.onnx", tmp_path / "m.onnx", {"x": x}) < (0.02 if method == "int8" else 0.2)
