"""Normalizations of axes whose sizes are known only at run time: PyTorch's modules cannot be made of them, its functions can."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

from netc.compiler.ir.walk import collect_graphs
from tests.frontends.imported import agree
from tests.frontends.onnx_models import model, node
from tests.frontends.onnx_parity import same
from tests.frontends.written import Of

FUNCTIONS: dict[str, Callable[..., torch.Tensor]] = {
    "layer norm": lambda m, x, w: F.layer_norm(x, x.shape[-1:]) + w,
    "layer norm of several axes": lambda m, x, w: F.layer_norm(x, x.shape[1:], eps=1e-3) + w,
    "layer norm with a bias alone": lambda m, x, w: F.layer_norm(x, x.shape[-1:], None, w),
    "layer norm with both": lambda m, x, w: F.layer_norm(x, x.shape[-1:], w * 2, w),
    "rms norm": lambda m, x, w: F.rms_norm(x, x.shape[-1:]) + w,
    "rms norm with a weight": lambda m, x, w: F.rms_norm(x, x.shape[-1:], w, eps=1e-3),
}


@pytest.mark.parametrize("function", FUNCTIONS.values(), ids=FUNCTIONS.keys())
def test_of_torch(function: Callable[..., torch.Tensor]) -> None:
    torch.manual_seed(0)
    inputs = [(torch.randn(n, 3, t) * 2 + 1, torch.randn(t)) for n, t in ((2, 5), (3, 1), (1, 7))]
    agree(Of(function), *inputs, dims={0: {0: "N", 2: "T"}, 1: {0: "T"}})


SHAPES: dict[str, tuple[list[int | str], list[int | str] | None, int]] = {
    "a weight": (["T"], None, -1),
    "a weight and a bias": (["T"], ["T"], -1),
    "a weight of another shape": ([1], ["T"], -1),
    "a bias of another shape": (["T"], [1], -1),
    "several axes": ([3, "T"], [3, "T"], 1),
    "several axes with a weight of one": (["T"], [3, "T"], 1),
}
"""The shapes of the weight and the bias, and the first axis that is normalized."""


@pytest.mark.parametrize("operator", ["LayerNormalization", "RMSNormalization"])
@pytest.mark.parametrize(("weight", "bias", "axis"), SHAPES.values(), ids=SHAPES.keys())
def test_of_onnx(operator: str, weight: list[int | str], bias: list[int | str] | None, axis: int) -> None:
    if operator == "RMSNormalization":
        bias = None
    given = {"x": ["N", 3, "T"], "w": weight} | ({} if bias is None else {"b": bias})
    made = same(model([node(operator, list(given), ["y"], axis=axis)], given, ["y"], opset=23), sizes={"T": (5, 1)})
    names = [n.op.name for graph in collect_graphs(made.program.main) for n in graph.nodes if hasattr(n, "op")]
    assert {"LayerNormalization": "layer_norm", "RMSNormalization": "rms_norm"}[operator] in names


def test_of_onnx_with_a_weight_of_ones() -> None:
    """netc writes a normalization without a weight like this, and an instance normalization too."""
    nodes = [node("Shape", ["x"], ["s"], start=2), node("Expand", ["one", "s"], ["w"]), node("LayerNormalization", ["x", "w"], ["y"])]
    made = same(model(nodes, {"x": ["N", 3, "T"]}, ["y"], {"one": np.float32(1)}), sizes={"T": (5, 6)})
    assert [n.op.name for n in made.program.main.nodes if hasattr(n, "op")] == ["instance_norm"]
