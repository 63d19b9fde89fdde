"""The list of QNN's operators against the package onnxruntime-qnn, whose HTP backend judges nodes on a CPU too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kernel_pages.builders_page import find_programs, read_coreml_operators
from onnx import TensorProto, helper, numpy_helper
from zoo.small import SMALL

import netc
from netc.compiler.backends.backend import GraphOptions
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.kernels.coreml_limits import COREML_LIMITS
from netc.compiler.backends.onnx.kernels.operator_table import find_form, load_operator_table
from netc.compiler.backends.onnx.kernels.typed_nodes import TypedValue, list_nodes, list_typed_nodes
from netc.compiler.backends.onnx.onnx_model import build_graph
from netc.errors import CompileError
from netc.proving.check_kernels import check_kernels, choose_opset
from tests.onnx_opsets import check

NAMES = ("resnet", "gpt2", "bert", "swin", "tagger", "rwkv", "bahdanau", "kan", "mobilenet_v3")


@pytest.mark.long
@pytest.mark.parametrize("name", NAMES)
def test_qnn_takes_what_the_table_says(name: str) -> None:
    pytest.importorskip("onnxruntime_qnn", reason="pip install onnxruntime-qnn")
    from kernel_pages.qnn_probe import find_verdicts

    model = SMALL[name].compile_fixed()
    check = choose_opset(model.program, "qnn")
    given = model.backend_input(None, 0, GraphOptions(opset=check.opset, device="qnn"))
    nodes = list_nodes(build_graph(given.program, given.open_arrays(), given.name, options=given.options))
    verdicts = find_verdicts(BACKEND.proto(given))
    data = {node.name for node in nodes if node.role == "data"}
    assert {name for name, is_taken in verdicts.items() if not is_taken} & data == {missing.node for missing in check.report.missing}


def test_symbolic_sizes_are_refused() -> None:
    program = netc.compile("input [T, 4] -> relu").program
    with pytest.raises(CompileError, match="the model cannot run in QNN: it needs a number for `N`, `T`"):
        choose_opset(program, "qnn")
    assert check_kernels(netc.compile("input [T, 4] -> relu", dims={"N": 1, "T": 3}).program, "qnn", 23).report.missing == ()


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("input 8 -> erf", ("Erf", "")),
        ("input 2x2x2x2x2 -> transpose 1 5", ("Transpose", "with at most 5 axes")),
    ],
)
def test_qnn_has_restrictions(text: str, form: tuple[str, str]) -> None:
    report = check_kernels(netc.compile(text, dims={"N": 1}).program, "qnn", 23).report
    assert [(missing.op_type, missing.form) for missing in report.missing] == [form]


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("input 3x8x8x8 -> conv 4 3", ("Conv", "in one or two dimensions")),
        ("input 3x8x8 -> max_pool 2 dilation=2", ("MaxPool", "without dilation")),
        ("input 3x8 -> batch_norm", ("BatchNormalization", "with 4 axes")),
        ("input 3x8x8 -> upsample scale=2 mode=bicubic", ("Resize", "with the modes nearest and linear, without antialiasing")),
        ("input 3x8x8 -> conv_transpose 2 3 stride=2 output_padding=1", ("ConvTranspose", "without padding of the result")),
        ("input 2x2x2x2x2 -> transpose 1 5", ("Transpose", "with at most 5 axes")),
        ("input 8x3 -> reshape [N, 3, 8]", ("Reshape", "with sizes that are numbers (`--dim`)")),
        ("input 8 float64 -> relu", ("Relu", "of float32, float16, int64")),
        ("input 8 -> cast uint8", ("Cast", "to float32, float16, int64, int32")),
        ("input 8 int64 -> clamp min=0 max=3", ("Clip", "of float32, float16")),
        ("input 8 -> clamp min=2 max=2", ("Clip", "with different bounds")),
        ("input 1x8x8 -> prelu", ("PRelu", "of several channels")),
    ],
)
def test_core_ml_has_restrictions(text: str, form: tuple[str, str]) -> None:
    report = check_kernels(netc.compile(text).program, "coreml", 22).report
    assert [(missing.op_type, missing.form) for missing in report.missing] == [form]


@pytest.mark.parametrize(
    ("op_type", "inputs", "constants", "outputs", "form"),
    [
        ("PRelu", [[1, 3, 4, 4]], [np.ones((3, 4, 4), np.float32)], 1, "with one slope, or one for each channel"),
        ("PRelu", [[1, "C", 4, 4]], [np.ones(1, np.float32)], 1, "with a number of channels (`--dim`)"),
        ("Split", [[4]], [np.array([4])], 1, "into two parts or more"),
        ("Split", [[4]], [np.array([4, 0])], 2, "into parts that are not empty"),
        ("Split", [["T"]], [np.array([2, 2])], 2, "along an axis whose size is a number (`--dim`)"),
        ("Reshape", [[]], [np.array([1, 1])], 1, "of tensors that have axes"),
        ("Reshape", [[1]], [np.array([], np.int64)], 1, "of tensors that have axes"),
        ("Relu", [[0, 3]], [], 1, "of tensors that are not empty"),
        ("Relu", [None], [], 1, "with a known number of axes"),
        ("Gemm", [[2, 3]], [np.ones((3, 4), np.float32), np.ones((2, 1), np.float32)], 1, "with one row of biases"),
        ("Relu", [[2, 3]], [], 1, None),
        ("Gemm", [[2, 3]], [np.ones((3, 4), np.float32), np.ones((1, 4), np.float32)], 1, None),
        ("PRelu", [[1, 3, 4, 4]], [np.ones((3, 1, 1), np.float32)], 1, None),
        ("Split", [[4]], [np.array([2, 2])], 2, None),
    ],
)
def test_core_ml_has_restrictions_of_nodes(
    op_type: str, inputs: list[list[int | str] | None], constants: list[np.ndarray[Any, Any]], outputs: int, form: str | None
) -> None:
    """These nodes are not what netc writes today."""
    given = [helper.make_tensor_value_info(f"x{i}", TensorProto.FLOAT, shape) for i, shape in enumerate(inputs)]
    stored = [numpy_helper.from_array(array, f"c{i}") for i, array in enumerate(constants)]
    results = [helper.make_tensor_value_info(f"y{i}", TensorProto.FLOAT, None) for i in range(outputs)]
    names = [[value.name for value in values] for values in (given, stored, results)]
    graph = helper.make_graph([helper.make_node(op_type, names[0] + names[1], names[2])], "one", given, results, stored)
    known = {name: TypedValue(array.dtype.name, array.shape, True, array) for name, array in zip(names[1], constants, strict=True)}
    (node,) = list_typed_nodes(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 22)]), 22, known)
    assert find_form(load_operator_table("coreml"), COREML_LIMITS, node) == form


@pytest.mark.parametrize("text", ["input 5 -> rsqrt", "x = input 5; 1 / x -> tanh", "x = input 5; x ** -0.5"])
def test_core_ml_gets_a_quotient_in_place_of_its_wrong_reciprocal(text: str) -> None:
    """Its builder adds 0.0001 to the divisor."""
    model = netc.compile(text)
    assert all(missing.is_wrong for missing in check_kernels(model.program, "coreml", 23).report.missing)
    assert check_kernels(model.program, "coreml", 23, converts=True).report.missing == ()
    check(model, 23, device="coreml")


def test_core_ml_divides_integers_otherwise() -> None:
    missing = next(
        missing
        for missing in check_kernels(netc.compile("input 5 int64 -> floor_div 2").program, "coreml", 23).report.missing
        if missing.op_type == "Div"
    )
    assert (missing.op_type, missing.form, missing.is_wrong) == ("Div", "of integers rounded down", True)


@pytest.mark.parametrize("batch", [0, 2])
def test_a_reshape_in_place_of_flatten_takes_an_empty_batch(batch: int) -> None:
    check(netc.compile("input 3x4 -> flatten -> dense 2"), 23, {"N": batch}, device="coreml")


def test_core_ml_gets_a_reshape_in_place_of_flatten() -> None:
    model = netc.compile("input 3x4 -> flatten -> dense 2", dims={"N": 2})
    assert [missing.op_type for missing in check_kernels(model.program, "coreml", 23).report.missing] == ["Flatten"]
    assert check_kernels(model.program, "coreml", 23, converts=True).report.missing == ()
    check(model, 23, device="coreml")


def test_the_op_builders_are_read(tmp_path: Path) -> None:
    (tmp_path / "unary_op_builder.cc").write_text(
        "bool SupportsMLProgram() const override { return true; }\nvoid CreateUnaryOpBuilder(const std::string& op_type) {}"
    )
    (tmp_path / "flatten_op_builder.cc").write_text("void CreateFlattenOpBuilder(const std::string& op_type) {}")
    factory = 'CreateUnaryOpBuilder("Erf", registrations);\nCreateFlattenOpBuilder("Flatten", registrations);'
    assert read_coreml_operators(factory, find_programs(tmp_path)) == {"Erf": "float32,float16,int64"}


def test_core_ml_has_what_it_has() -> None:
    text = "input 3x32x32 -> conv 8 3 -> batch_norm relu -> max_pool 2 -> global_avg_pool -> dense 10 -> softmax"
    assert check_kernels(netc.compile(text).program, "coreml", 22).report.missing == ()
