"""Models of scikit-learn as its converter writes them, and chosen outputs: the proof compares with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.onnx_models import model, node
from frontends.onnx_parity import imported, session
from onnx import TensorProto, helper

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing.onnx_origin import make_onnx_origin
from netc.importing.run_import import import_spec

GENERATOR = np.random.default_rng(0)
NUMBERS: dict[str, Any] = {"coefficients": GENERATOR.standard_normal(12).tolist(), "intercepts": GENERATOR.standard_normal(3).tolist()}


def classical(op: str, inputs: Sequence[str], outputs: Sequence[str], **attributes: Any) -> onnx.NodeProto:
    return helper.make_node(op, inputs, outputs, domain="ai.onnx.ml", **attributes)


def written(folder: Path, nodes: Sequence[onnx.NodeProto], outputs: Mapping[str, int], **numbers: Any) -> Path:
    given = model(nodes, {"x": ["N", 4]}, list(outputs), numbers)
    given.opset_import.append(helper.make_opsetid("ai.onnx.ml", 1))
    for info in given.graph.output:
        info.type.tensor_type.elem_type = outputs[info.name]
    path = folder / "model.onnx"
    path.write_bytes(given.SerializeToString())
    return path


@pytest.mark.parametrize("transform", ["NONE", "SOFTMAX", "LOGISTIC"])
@pytest.mark.parametrize("labels", [[0, 1, 2], [3, -7, 9]], ids=str)
@pytest.mark.sample(3)
def test_a_classifier_with_scaled_and_normalized_features(tmp_path: Path, transform: str, labels: list[int]) -> None:
    nodes = [
        classical("Scaler", ["x"], ["s"], offset=[1.0, 2.0, 3.0, 4.0], scale=[0.5, 0.25, 0.5, 2.0]),
        classical("Normalizer", ["s"], ["n"], norm="L1" if transform == "NONE" else "L2"),
        classical("LinearClassifier", ["n"], ["label", "p"], **NUMBERS, classlabels_ints=labels, post_transform=transform),
    ]
    made = netc.from_onnx(written(tmp_path, nodes, {"label": TensorProto.INT64, "p": TensorProto.FLOAT}))
    assert list(made.outputs) == ["label", "p"]


@pytest.mark.parametrize("offset", [[1.5] * 4, [1.5], [0.0], [1.0, 2.0, 3.0, 4.0]], ids=str)
@pytest.mark.parametrize("scale", [[0.5], [1.0], [0.5, 0.25, 0.5, 2.0]], ids=str)
def test_one_number_for_all_features(tmp_path: Path, offset: list[float], scale: list[float]) -> None:
    path = written(tmp_path, [classical("Scaler", ["x"], ["y"], offset=offset, scale=scale)], {"y": TensorProto.FLOAT})
    x = GENERATOR.standard_normal((2, 4)).astype(np.float32)
    model = netc.from_onnx(path)
    np.testing.assert_allclose(model.session()(x), (x - np.float32(offset)) * np.float32(scale), rtol=1e-6)
    assert ("constant1 = param" in model.spec()) == (len({*offset}) > 1 or len({*scale}) > 1)  # a number is written where it is used


def test_a_regressor(tmp_path: Path) -> None:
    path = written(tmp_path, [classical("LinearRegressor", ["x"], ["y"], **NUMBERS, targets=3)], {"y": TensorProto.FLOAT})
    x = GENERATOR.standard_normal((2, 4)).astype(np.float32)
    weight = np.array(NUMBERS["coefficients"]).reshape(3, 4)
    found = netc.from_onnx(path).session()(x)
    np.testing.assert_allclose(found, x @ weight.T + NUMBERS["intercepts"], rtol=1e-5, atol=1e-5)


def test_features_are_picked_and_labels_looked_up(tmp_path: Path) -> None:
    picked = [classical("ArrayFeatureExtractor", ["x", "i"], ["y"])]
    netc.from_onnx(written(tmp_path, picked, {"y": TensorProto.FLOAT}, i=np.array([[2, 0]])))
    looked_up = [node("ArgMax", ["x"], ["i"], axis=1), classical("ArrayFeatureExtractor", ["c", "i"], ["y"])]
    netc.from_onnx(written(tmp_path, looked_up, {"y": TensorProto.INT64}, c=np.array([5, 6, 7, 8])))


@pytest.mark.parametrize("categories", [[0, 1, 2], [-1, 7]], ids=str)
@pytest.mark.parametrize("kind", [TensorProto.INT64, TensorProto.FLOAT])
def test_categories(tmp_path: Path, categories: list[int], kind: int) -> None:
    nodes = [node("Cast", ["x"], ["i"], to=kind), classical("OneHotEncoder", ["i"], ["y"], cats_int64s=categories, zeros=1)]
    path = written(tmp_path, nodes, {"y": TensorProto.FLOAT})
    x = np.array([[-1, 0, 1, 2], [7, 1, -3, 0]], np.float32)
    np.testing.assert_array_equal(netc.from_onnx(path).session()(x), x[..., None] == np.float32(categories))


def test_outputs_are_chosen(tmp_path: Path) -> None:
    """Labels are strings, and probabilities in a list: neither can be imported, the tensor before the list can."""
    words = ["a", "b", "c"]
    nodes = [
        classical("LinearClassifier", ["x"], ["label", "p"], **NUMBERS, classlabels_strings=words, post_transform="SOFTMAX"),
        classical("ZipMap", ["p"], ["z"], classlabels_strings=words),
    ]
    path = written(tmp_path, nodes, {"label": TensorProto.STRING, "z": TensorProto.FLOAT})
    with pytest.raises(ImportFailed, match="--output-name"):
        netc.from_onnx(path)
    assert list(netc.from_onnx(path, outputs=["p"]).outputs) == ["p"]
    with pytest.raises(ImportFailed, match="makes no tensor `q`"):
        netc.from_onnx(path, outputs=["q"])


def test_a_list_of_dicts_names_the_option(tmp_path: Path) -> None:
    """The converter of scikit-learn writes one by default."""
    nodes = [node("Softmax", ["x"], ["p"]), classical("ZipMap", ["p"], ["z"], classlabels_int64s=[0, 1, 2, 3])]
    path = written(tmp_path, nodes, {"z": TensorProto.FLOAT})
    with pytest.raises(ImportFailed, match="list of dicts; `--output-name` chooses the tensor before it"):
        netc.from_onnx(path)
    assert list(netc.from_onnx(path, outputs=["p"]).outputs) == ["p"]


@pytest.mark.parametrize("op", ["Mod", "Div"])
def test_integers_that_are_divided_are_drawn_without_0(tmp_path: Path, op: str) -> None:
    """PyTorch raises an exception for a remainder by 0, and ONNX Runtime's division may end its process."""
    int64 = TensorProto.INT64
    given = model([node(op, ["x", "y"], ["z"])], {"x": ["N", 4], "y": ["N", 4]}, ["z"], types={"x": int64, "y": int64})
    given.graph.output[0].type.tensor_type.elem_type = int64
    path = tmp_path / "model.onnx"
    path.write_bytes(given.SerializeToString())
    netc.from_onnx(path)


@pytest.mark.parametrize("by", [3, -3, 2**61 + 1, None])
def test_large_integers_are_divided_exactly(by: int | None) -> None:
    """A quotient through float64 loses the last digits from 2**53."""
    int64, y = TensorProto.INT64, np.array([[5, -5, 3, -(2**40)]])
    names = ["x", "y"] if by is None else ["x"]
    constants = {} if by is None else {"y": np.array(by)}
    given = model([node("Div", ["x", "y"], ["z"])], {name: ["N", 4] for name in names}, ["z"], constants, types=dict.fromkeys(names, int64))
    given.graph.output[0].type.tensor_type.elem_type = int64
    x = np.array([[2**62 + 3, -(2**62) - 3, 2**53 + 1, -7]])
    feeds = {"x": x, "y": y} if by is None else {"x": x}
    made = imported(given)
    compiled = netc.Model(made.program)
    (wanted,) = session(given).run(None, feeds)
    np.testing.assert_array_equal(compiled.module()(*map(torch.from_numpy, feeds.values())).numpy(), wanted)
    np.testing.assert_array_equal(compiled.session()(**feeds), wanted)


def test_attention_that_is_written_out_with_a_mask_has_a_note(tmp_path: Path) -> None:
    nodes = [node("Transpose", ["k"], ["kt"], perm=[0, 1, 3, 2]), node("MatMul", ["q", "kt"], ["s"]), node("Mul", ["s", "half"], ["h"])]
    nodes += [node("Where", ["m", "zero", "ninf"], ["b"]), node("Add", ["h", "b"], ["w"])]
    nodes += [node("Softmax", ["w"], ["p"], axis=-1), node("MatMul", ["p", "v"], ["y"])]
    shapes: Any = {name: ["N", 2, "T", 4] for name in "qkv"} | {"m": ["N", 1, "T", "T"]}
    numbers = {"half": np.float32(0.5), "zero": np.float32(0), "ninf": np.float32(-np.inf)}
    path = tmp_path / "model.onnx"
    path.write_bytes(model(nodes, shapes, ["y"], numbers, types={"m": TensorProto.BOOL}).SerializeToString())
    made = import_spec(make_onnx_origin(str(path), {}))
    assert "-> attention" in made.text
    assert any("no key" in note for note in made.notes)
    assert "no key" in made.text


@pytest.mark.parametrize("marker", [np.nan, -1.0], ids=["nan", "number"])
@pytest.mark.parametrize("numbers", [[0.5], [1.0, 2.0, 3.0, 4.0]], ids=["one", "each"])
def test_what_is_missing_is_filled_in(tmp_path: Path, marker: float, numbers: list[float]) -> None:
    imputer = classical("Imputer", ["x"], ["y"], imputed_value_floats=numbers, replaced_value_float=marker)
    x = np.array([[marker, 2, -1, 0], [3, marker, np.nan, marker]], np.float32)
    missing = np.isnan(x) if np.isnan(marker) else x == marker
    found = netc.from_onnx(written(tmp_path, [imputer], {"y": TensorProto.FLOAT})).session()(x)
    np.testing.assert_array_equal(found, np.where(missing, np.float32(numbers), x))


def test_numbers_above_a_threshold(tmp_path: Path) -> None:
    binarizer = classical("Binarizer", ["x"], ["y"], threshold=0.3)
    x = np.array([[0.3, 0.31, -1, 7]], np.float32)
    found = netc.from_onnx(written(tmp_path, [binarizer], {"y": TensorProto.FLOAT})).session()(x)
    np.testing.assert_array_equal(found, np.float32([[0, 1, 0, 1]]))
