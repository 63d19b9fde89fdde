"""Initializers of one name in several graphs of a file: ONNX's scopes make them different weights. ONNX Runtime is the judge."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

import netc


def draw(*shape: int, seed: int) -> Any:
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def info(name: str, shape: Any = None) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def branch(op: str, name: str, output: str, numbers: Any) -> onnx.GraphProto:
    return helper.make_graph(
        [helper.make_node(op, ["x", name], [output])], output, [], [info(output)], [numpy_helper.from_array(numbers, name)]
    )


def choose(then: onnx.GraphProto, otherwise: onnx.GraphProto, *, outer: Any = None) -> onnx.ModelProto:
    """A file that takes a branch by the sum of its input. With `outer`, it adds the product with an outer weight of the same name."""
    nodes = [
        helper.make_node("ReduceSum", ["x"], ["s"], keepdims=0),
        helper.make_node("Greater", ["s", "zero"], ["c"]),
        helper.make_node("If", ["c"], ["chosen"], then_branch=then, else_branch=otherwise),
        helper.make_node("Identity", ["chosen"], ["y"]) if outer is None else helper.make_node("Add", ["chosen", "product"], ["y"]),
    ]
    initializers = [numpy_helper.from_array(np.float32(0), "zero")]
    if outer is not None:
        nodes.insert(0, helper.make_node("MatMul", ["x", "w"], ["product"]))
        initializers.append(numpy_helper.from_array(outer, "w"))
    graph = helper.make_graph(nodes, "g", [info("x", ["N", 4])], [info("y", ["N", 4])], initializers)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10)


FILES: dict[str, onnx.ModelProto] = {
    "matrices": choose(branch("MatMul", "w", "a", draw(4, 4, seed=0)), branch("MatMul", "w", "b", draw(4, 4, seed=1))),
    "vectors": choose(branch("Mul", "k", "a", draw(4, seed=0)), branch("Mul", "k", "b", draw(4, seed=1))),
    "equal matrices": choose(branch("MatMul", "w", "a", draw(4, 4, seed=0)), branch("MatMul", "w", "b", draw(4, 4, seed=0))),
    "hidden outer matrix": choose(
        branch("MatMul", "w", "a", draw(4, 4, seed=0)), branch("MatMul", "w", "b", draw(4, 4, seed=1)), outer=draw(4, 4, seed=2)
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_numbers_of_one_name(name: str, tmp_path: Path) -> None:
    onnx.checker.check_model(FILES[name], full_check=True)
    onnx.save(FILES[name], tmp_path / "m.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "m.onnx")
    for verify in (False, True):
        model = netc.from_onnx(tmp_path / "m.onnx", verify=verify)
        for seed in range(4):
            x = draw(3, 4, seed=seed) + (seed % 2 - 0.5)
            np.testing.assert_allclose(model.session()(x), session.run(None, {"x": x})[0], atol=1e-5)
