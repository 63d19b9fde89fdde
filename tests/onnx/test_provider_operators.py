"""The list of QNN's operators against the package onnxruntime-qnn, whose HTP backend judges nodes on a CPU too."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_pages.builders_page import find_programs, read_coreml_operators
from zoo.small import SMALL

import netc
from netc.compiler.backends.backend import GraphOptions
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.kernels.typed_nodes import list_nodes
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
    ],
)
def test_core_ml_has_restrictions(text: str, form: tuple[str, str]) -> None:
    report = check_kernels(netc.compile(text).program, "coreml", 22).report
    assert [(missing.op_type, missing.form) for missing in report.missing] == [form]


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
