"""Pools that give the positions of what they found, which ONNX counts within the whole tensor: ONNX Runtime is the judge."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
from frontends.imported import operators
from frontends.onnx_models import model, node
from frontends.onnx_parity import same
from onnx import TensorProto

import netc
from netc.compiler.backends.net.spec_source import write_program
from netc.compiler.frontends.imported_model import ImportFailed
from netc.compiler.frontends.onnx import from_model

SIZES = {"H": (8, 12), "W": (10, 14)}


@pytest.mark.parametrize(
    "options",
    [
        {"kernel_shape": [2, 2], "strides": [2, 2]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1]},
        {"kernel_shape": [3, 3], "strides": [2, 2], "ceil_mode": 1},
        {"kernel_shape": [2, 2], "strides": [2, 1], "storage_order": 1},
    ],
    ids=["plain", "padded", "ceil", "columns first"],
)
def test_positions(options: dict[str, Any]) -> None:
    same(indexed([node("MaxPool", ["x"], ["y", "at"], **options)], ["y", "at"]), sizes=SIZES)


def indexed(nodes: list[onnx.NodeProto], outputs: list[str]) -> onnx.ModelProto:
    given = model(nodes, {"x": ["N", 3, "H", "W"]}, outputs)
    for info in given.graph.output:
        info.type.tensor_type.elem_type = TensorProto.INT64 if info.name == "at" else TensorProto.FLOAT
    return given


def test_the_way_back() -> None:
    """Relu keeps the maxima apart from what is put next to them."""
    options = {"kernel_shape": [2, 2], "strides": [2, 2]}
    nodes = [node("MaxPool", ["x"], ["y", "at"], **options), node("Relu", ["y"], ["r"]), node("MaxUnpool", ["r", "at"], ["z"], **options)]
    same(indexed(nodes, ["z"]), sizes=SIZES)


@pytest.mark.parametrize("op", ["AveragePool", "LpPool"])
@pytest.mark.parametrize(
    "options",
    [
        {"kernel_shape": [3, 2], "dilations": [2, 3]},
        {"kernel_shape": [3, 2], "dilations": [2, 3], "strides": [2, 1], "pads": [2, 1, 1, 0]},
        {"kernel_shape": [2, 3], "dilations": [3, 1], "strides": [3, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1},
    ],
    ids=["plain", "padded", "ceil"],
)
@pytest.mark.parametrize("counted", [0, 1])
def test_pools_with_dilation(op: str, options: dict[str, Any], counted: int) -> None:
    known = "ceil_mode" in options
    more = {"count_include_pad": counted} if op == "AveragePool" else {}
    sizes = {"x": ["N", 3, 11, 12] if known else ["N", 3, "H", "W"]}
    made = same(model([node(op, ["x"], ["y"], **options, **more)], sizes, ["y"], opset=19), sizes=SIZES)
    # An axis without dilation takes all elements of its windows.
    if op == "AveragePool":
        slices, windows = map(operators(made.program).count, ("slice", "sliding_window"))
        assert slices * len(options["dilations"]) == windows * sum(dilation > 1 for dilation in options["dilations"])


def test_the_means_of_dilated_windows_of_large_numbers() -> None:
    given = model([node("AveragePool", ["x"], ["y"], kernel_shape=[3], dilations=[2], pads=[2, 2])], {"x": ["N", 3, 9]}, ["y"], opset=19)
    made = from_model(given)
    x = np.full((1, 3, 9), 1e6, np.float32)
    assert np.array_equal(netc.Model(made.program).session({})(x), x)


@pytest.mark.parametrize("text", ["adaptive_avg_pool 3x2", "adaptive_max_pool 3x2", "adaptive_avg_pool 5x5"])
def test_pools_of_any_size_come_back(text: str) -> None:
    """Windows that are computed at run time are many operators in ONNX."""
    made = same(netc.compile(f"input 4xHxW -> {text}").onnx(seed=1), sizes=SIZES)
    assert text in write_program(made.program, ())


def test_other_windows_are_no_adaptive_pool() -> None:
    """Those of the last edge one too early."""
    given = netc.compile("input 4xT -> adaptive_avg_pool 3").onnx(seed=1)
    less = next(node for node in given.graph.node if node.op_type == "Less")
    less.op_type = "LessOrEqual"
    assert "adaptive_avg_pool 3" not in write_program(from_model(given).program, ())


@pytest.mark.parametrize("size", [5, 6, 7])
@pytest.mark.parametrize("stride", [2, 3, 4])
@pytest.mark.parametrize("pads", [[1, 0], [0, 1], [1, 2], [0, 2]])
def test_a_window_that_begins_in_the_padding_is_dropped(pads: list[int], stride: int, size: int) -> None:
    """Only if `ceil_mode` would add it."""
    options = {"kernel_shape": [3], "strides": [stride], "pads": pads, "ceil_mode": 1}
    # ONNX Runtime has no padding as long as the kernel.
    dilated = {**options, "kernel_shape": [2], "dilations": [2], "pads": [min(pad, 1) for pad in pads]}
    nodes = [node("MaxPool", ["x"], ["y"], **options), node("MaxPool", ["x"], ["z"], **dilated)]
    same(model(nodes, {"x": ["N", 3, size]}, ["y", "z"], opset=22))


def test_a_window_that_may_begin_in_the_padding() -> None:
    """Whether it does depends on the size."""
    pool = node("MaxPool", ["x"], ["y"], kernel_shape=[2], strides=[2], pads=[0, 1], ceil_mode=1)
    with pytest.raises(ImportFailed, match="has `ceil_mode`, and padding or `dilations` that need a size which is not known"):
        from_model(model([pool], {"x": ["N", 3, "T"]}, ["y"], opset=22))
