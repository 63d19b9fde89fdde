"""Nodes with attributes drawn at random compute what ONNX Runtime computes, at all sizes."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from frontends.drawn_nodes import FAMILIES, Draw, DrawnNode
from frontends.onnx_parity import imported, session
from onnx import helper, numpy_helper

import netc
from netc.compiler.frontends.imported_model import ImportFailed

COUNT = 12
"""The number of nodes of each family."""


def make_model(drawn: DrawnNode, r: Draw) -> onnx.ModelProto:
    """Half of the axes of half of the models have names instead of sizes."""
    is_named = not drawn.is_fixed and r.random() < 0.5
    inputs = []
    for name, shape in drawn.shapes.items():
        sizes = [f"{name.upper()}{n}" if is_named and r.random() < 0.5 else size for n, size in enumerate(shape)]
        kind = onnx.helper.np_dtype_to_tensor_dtype(drawn.fed[name].dtype) if name in drawn.fed else drawn.type
        inputs.append(helper.make_tensor_value_info(name, kind, sizes))
    results = [onnx.ValueInfoProto(name=name) for name in drawn.node.output if name]
    constants = [numpy_helper.from_array(np.asarray(array), name) for name, array in drawn.constants.items()]
    graph = helper.make_graph([drawn.node], "drawn", inputs, results, constants)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", drawn.opset)], ir_version=9)
    inferred = onnx.shape_inference.infer_shapes(made)
    for own, found in zip(made.graph.output, inferred.graph.output, strict=True):
        own.CopyFrom(found)
    return made


def list_results(results: Any) -> list[Any]:
    items = results.values() if isinstance(results, dict) else results if isinstance(results, tuple) else [results]
    return [item.detach().numpy() if isinstance(item, torch.Tensor) else np.asarray(item) for item in items]


def ask_judge(made: onnx.ModelProto, fed: Mapping[str, Any]) -> list[Any] | None:
    """Return what ONNX Runtime computes; None if it refuses the node."""
    try:
        return session(made).run(None, dict(fed))
    except Exception:  # it has a class for each of its reasons
        return None


def count_agreeing(name: str, seed: int) -> int:
    """Return 1 if a drawn node agrees, and 0 if its import or ONNX Runtime refuses it."""
    r = Draw(f"{name} {seed}")
    drawn = FAMILIES[name](r)
    made = make_model(drawn, r)
    fed = {name: drawn.fed[name] if name in drawn.fed else r.array(shape, drawn.type) for name, shape in drawn.shapes.items()}
    wanted = ask_judge(made, fed)
    try:
        own = imported(made)
    except ImportFailed:
        return 0
    if wanted is None:
        return 0
    model = netc.Model(own.program)
    given = [fed[name] for name in model.inputs]
    for found in (model.module(dict(own.weights)).eval()(*map(torch.from_numpy, given)), model.session(dict(own.weights))(*given)):
        for left, right in zip(list_results(found), wanted, strict=True):
            assert (left.shape, left.dtype) == (right.shape, right.dtype), made
            np.testing.assert_allclose(left, right, rtol=1e-4, atol=1e-5, err_msg=str(made))
    return 1


@pytest.mark.parametrize("name", sorted(FAMILIES))
def test_drawn_nodes(name: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert sum(count_agreeing(name, seed) for seed in range(COUNT)) >= COUNT // 2
