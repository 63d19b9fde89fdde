"""Graphs that random operators and attributes have found to be imported wrongly. ONNX Runtime is the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node
from onnx import TensorProto

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx.importer_table import TABLE
from netc.importing.output_judge import NotProved


def proved(made: onnx.ModelProto, folder: Path) -> str:
    """The text of the import, which is proved."""
    for info in made.graph.output:
        info.type.Clear()
    path = folder / "small.onnx"
    onnx.save(onnx.shape_inference.infer_shapes(made), path)
    return netc.from_onnx(path).spec()


@pytest.mark.parametrize("value", [True, False])
def test_booleans_are_compared_with_one(value: bool, tmp_path: Path) -> None:
    given = model([node("Equal", ["x", "c"], ["y"])], {"x": ["N", 4]}, ["y"], {"c": np.array(value)}, types={"x": TensorProto.BOOL})
    assert f"x -> eq {str(value).lower()}" in proved(given, tmp_path)


@pytest.mark.parametrize("op", ["ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare", "ReduceProd", "ReduceMean"])
def test_reductions_over_no_axes(op: str, tmp_path: Path) -> None:
    """What is computed of each element before the sum is computed all the same."""
    nodes = [node("Exp", ["x"], ["e"]), node("Sub", ["e", "c"], ["d"])] if op in ("ReduceL1", "ReduceL2") else [node("Exp", ["x"], ["d"])]
    nodes.append(node(op, ["d"], ["y"], noop_with_empty_axes=1))
    proved(model(nodes, {"x": ["N", 3, 4]}, ["y"], {"c": np.float32(1)}, opset=18), tmp_path)


@pytest.mark.parametrize("keep", [0, 1])
def test_the_logarithm_of_a_sum_of_integers(keep: int, tmp_path: Path) -> None:
    nodes = [node("Mul", ["x", "x"], ["square"]), node("ReduceLogSum", ["square"], ["y"], axes=[1], keepdims=keep)]
    proved(model(nodes, {"x": ["N", 9]}, ["y"], types={"x": TensorProto.INT64}), tmp_path)


@pytest.mark.parametrize("index", [[[-1]], [[0], [-1]], [[-1, 2], [0, -3]]], ids=str)
def test_indices_from_the_end_of_the_batch(index: list[list[int]], tmp_path: Path) -> None:
    proved(model([node("GatherND", ["x", "c"], ["y"])], {"x": ["N", 4, 5]}, ["y"], {"c": np.array(index)}), tmp_path)


def test_a_file_that_fails_for_other_sizes_than_its_own(tmp_path: Path) -> None:
    nodes = [node("Resize", ["x", "", "", "c"], ["y"], mode="linear")]
    given = model(nodes, {"x": ["N", 4, 4, 4]}, ["y"], {"c": np.array([2, 4, 8, 8])}, opset=18)
    with pytest.raises(ImportFailed, match=r"fails in ONNX Runtime on inputs of the shapes `x` \[3, 4, 4, 4\]"):
        proved(given, tmp_path)


@pytest.mark.parametrize("target", ["module", "session"])
def test_what_was_made_may_fail(target: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*arguments: Any) -> Any:
        raise IndexError("index out of range in self")

    made = {"module": lambda *a, **k: _Failing(fails), "session": lambda *a, **k: fails}[target]
    monkeypatch.setattr(netc.model.Model, target, made)
    with pytest.raises(NotProved, match=r"^what was made fails in .*: IndexError: index out of range in self$"):
        proved(model([node("Relu", ["x"], ["y"])], {"x": ["N", 3]}, ["y"]), tmp_path)


class _Failing:
    """A module that cannot be called."""

    def __init__(self, call: Any) -> None:
        self.call = call

    def eval(self) -> Any:
        return self.call


def test_a_difference_right_after_the_input(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its stages have no tensors of the file in between, of which nothing is asked."""
    monkeypatch.setitem(TABLE, "Relu", lambda site: site.apply_op("tanh", site.input()))
    with pytest.raises(NotProved, match="differs by"):
        proved(model([node("Relu", ["x"], ["y"])], {"x": ["N", 4]}, ["y"]), tmp_path)


TRANSPOSED = {
    "longer at the end": {"strides": [3, 3], "pads": [0, 0, 1, 0], "output_padding": [0, 1]},
    "longer and cut": {"strides": [3, 3], "pads": [1, 1, 0, 0], "output_padding": [1, 1]},
    "a size that is wanted": {"strides": [3, 2], "output_shape": [17, 15]},
    "windows shorter than strides": {"strides": [3, 2], "auto_pad": "SAME_UPPER"},
}


@pytest.mark.parametrize("bias", [False, True])
@pytest.mark.parametrize("name", TRANSPOSED)
@pytest.mark.sample(3)
def test_transposed_convolutions_whose_ends_differ(name: str, bias: bool, tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    constants = {"w": generator.normal(size=(3, 2, 2, 1 if "shorter" in name else 2)), "b": np.array([3.0, -4.0])}
    used = {key: array.astype(np.float32) for key, array in constants.items() if bias or key == "w"}
    given = model([node("ConvTranspose", ["x", *used], ["y"], **TRANSPOSED[name])], {"x": ["N", 3, 8, 7]}, ["y"], used)
    assert "conv_transpose" in proved(given, tmp_path)


def test_a_transposed_convolution_with_a_bias_far_beyond_its_end(tmp_path: Path) -> None:
    constants = {"w": np.ones((3, 2, 1, 1), np.float32), "b": np.ones(2, np.float32)}
    nodes = [node("ConvTranspose", ["x", "w", "b"], ["y"], strides=[2, 2], output_shape=[19, 19])]
    with pytest.raises(ImportFailed, match="longer than what it computes"):
        proved(model(nodes, {"x": ["N", 3, 8, 8]}, ["y"], constants), tmp_path)
