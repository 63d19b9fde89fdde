"""Operators that the standard defines by others, sizes in tensors, and names of nodes that are several; ONNX Runtime or the reference
implementation of the onnx package is the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import TensorProto
from onnx.reference import ReferenceEvaluator

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model


def as_defined(given: onnx.ModelProto, inputs: dict[str, Any]) -> None:
    """Compares with the reference implementation."""
    made = from_model(given)
    module = netc.Model(made.program).module(dict(made.weights)).eval()
    (wanted,) = ReferenceEvaluator(given).run(None, inputs)
    with torch.no_grad():
        found = module(*(torch.from_numpy(array) for array in inputs.values()))
    np.testing.assert_allclose(found.numpy(), wanted, rtol=1e-4, atol=1e-5)


def test_a_limit_of_scores() -> None:
    """`softcap`, which the operator of netc does not have."""
    generator = np.random.default_rng(0)
    inputs = {name: generator.standard_normal((2, 3, 5, 8)).astype(np.float32) for name in "qkv"}
    shapes = {name: ["N", 3, 5, 8] for name in "qkv"}
    as_defined(model([node("Attention", list("qkv"), ["y"], softcap=2.0)], shapes, ["y"], opset=23), inputs)


def test_a_grid() -> None:
    given = model([node("AffineGrid", ["x", "size"], ["y"])], {"x": [2, 2, 3]}, ["y"], {"size": np.array([2, 1, 4, 5])}, opset=20)
    as_defined(given, {"x": np.random.default_rng(0).standard_normal((2, 2, 3)).astype(np.float32)})


def test_what_the_definition_needs_is_refused_as_the_operator() -> None:
    given = model([node("AffineGrid", ["x", "size"], ["y"])], {"x": ["N", 2, 3], "size": [4]}, ["y"], opset=20, types={"size": 7})
    with pytest.raises(ImportFailed) as failed:
        from_model(given)
    assert [obstacle.what for obstacle in failed.value.obstacles] == ["AffineGrid"]


def test_sizes_in_a_matrix_and_as_floats() -> None:
    """What is computed of them is a tensor, a half of a size a quotient."""
    nodes = [node("Shape", ["x"], ["s"]), node("Unsqueeze", ["s", "last"], ["column"]), node("Add", ["column", "steps"], ["grid"])]
    nodes += [node("Cast", ["grid"], ["f"], to=TensorProto.FLOAT), node("Cast", ["s"], ["t"], to=TensorProto.FLOAT)]
    nodes += [node("Mul", ["t", "half"], ["h"]), node("ReduceSum", ["x", "all"], ["z"], keepdims=0), node("Mul", ["h", "z"], ["p"])]
    nodes += [node("Add", ["f", "z"], ["y"]), node("ReduceSum", ["p"], ["w"])]
    constants = {"last": np.array([1]), "steps": np.arange(3), "half": np.float32(0.5), "all": np.array([0, 1])}
    same(model(nodes, {"x": ["N", "T"]}, ["y", "w"], constants), sizes={"T": (8, 12)})


def test_the_first_of_several_nodes_names_a_stage() -> None:
    """Converters from TensorFlow Lite join nodes, and list all their names."""
    names = ("net/a/Conv2D;net/a/BiasAdd;net/b/Relu", "net/c/MatMul;net/c/BiasAdd")
    nodes = [node("MatMul", ["x", "one"], ["h"], name=names[0]), node("MatMul", ["h", "two"], ["y"], name=names[1])]
    weights = {name: np.random.default_rng(0).standard_normal((4, 4)).astype(np.float32) for name in ("one", "two")}
    made = from_model(model(nodes, {"x": ["N", 4]}, ["y"], weights))
    assert not any("BiasAdd" in key or ";" in key for key in made.weights)
