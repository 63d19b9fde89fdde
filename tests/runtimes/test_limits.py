"""What a runtime cannot run is refused at its stage, before anything is written, and what is not refused agrees with ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from onnx import NodeProto, TensorProto, helper

import netc
from netc.compiler.backends.backend import GraphOptions
from netc.compiler.backends.onnx import BACKEND
from netc.compiler.backends.onnx.runtime_profiles import PROFILES
from netc.compiler.backends.onnx.runtime_profiles.tvm import WITH_TANH
from netc.compiler.ir.graph import OpNode
from netc.compiler.ops import Operator
from runtimes.test_sessions import require, run_netc

REFUSED = [
    ("openvino", "input 3 float64 -> sigmoid", "`sigmoid` cannot run in OpenVINO: it computes float64 in float32"),
    ("openvino", "x = input 3 int64; x -> sort stable=true", "its sort is not stable"),
    ("openvino", "a = input 3 uint8; b = input 3 uint8; a - b", "does not wrap around"),
    ("openvino", "input 2x7x8 -> max_pool 3 stride=2 padding=1 ceil_mode=true", "has other windows"),
    ("tract", "input [T, 5] -> gru 4", "its recurrent kernels end the process"),
    ("tract", "input [3, 4] -> logsumexp axis=-1", "without subtracting the largest number"),
    ("tract", "input 3xHxW -> upsample size=[H + 1, 2 * W]", "indices of symbolic sizes"),
    ("tract", "a = input 3 int32; a * a", "it squares integers without wrapping around, or not at all"),
    ("tract", "a = input 3 int8; b = a + 1; c = a + 1; b * c", "it squares integers without wrapping around"),
    ("tract", "a = input 3 int64; a ** 3", "it squares integers without wrapping around"),
    ("tract", "a = input 3; i = a -> cast int64; i + 1", "`cast` cannot run in tract: it computes casts to int64 as symbols"),
    ("tract", "a = input 3 int64; a // 3", "`floor_div` cannot run in tract: it computes casts to int64 as symbols"),
    ("tract", "a = input 3 int32; a -> cumsum axis=1", "it adds up no integers that are cast to int64"),
    ("tract", "input 3 -> lgamma", "it does not round float64"),
    ("tract", "input [T, 4] -> flip 1", "it reverses no axis of a symbolic size"),
    ("openvino", "a = input 3 int8; a + a", "its arithmetic of 8 bits does not wrap around"),
    ("openvino", "a = input 3 int64; a % 3", "`remainder` cannot run in OpenVINO: it divides integers in float32"),
    ("openvino", "a = input 3 int32; a // 3", "`floor_div` cannot run in OpenVINO: it divides integers in float32"),
    ("openvino", "a = input 3 int64; a + 3000000000", "it computes int64 in int32, which does not hold a constant here"),
    ("iree", "input [T, 5] -> lstm 4 bidirectional=true", "its LSTM of two directions gives other numbers"),
    ("tvm", "input [T, 5] -> dense 3", "it needs a number for `N`, `T`"),
]
AGREE = [
    ("tract", "input 3 -> celu 2"),  # its Celu ignores `alpha`
    ("tract", "x = input 6; x * 100 -> log_softmax"),  # its LogSoftmax overflows
    ("openvino", "input 2x5x5 -> pad [1, 3, 2, 0] mode=circular"),  # it lacks the Pad of opset 19
    ("openvino", "input [2, T, 8] -> rotary"),
    ("openvino", "input [T, 5] -> lstm 4"),
    ("tract", "x = input 6; x * 100 -> softplus"),  # its Softplus overflows
    ("tract", "x = input 6; x * 100 -> logsigmoid"),
    ("openvino", "input [T, 5] -> softplus"),
    ("tract", "input [T, 4] -> flip 2"),
    ("tract", "x = input 4; i = x -> cast int64; i -> cast float32"),  # a cast that is not returned
]


@pytest.mark.parametrize(("runtime", "text", "message"), REFUSED)
def test_refused_at_the_stage(runtime: str, text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "net.onnx"
    code, output = run_netc("compile", "-e", text, "--for", runtime, "-o", str(path))
    assert (code, message in output, "error[runtime-unsupported]" in output) == (1, True, True), output
    assert not path.exists()


@pytest.mark.parametrize(("runtime", "text"), AGREE)
def test_mended_by_another_form(runtime: str, text: str) -> None:
    model = netc.compile(text)
    shape = [3 if isinstance(size, str) or not isinstance(size, int) else size for size in next(iter(model.inputs.values())).shape]
    x = np.random.default_rng(0).standard_normal(shape)
    np.testing.assert_allclose(model.session(seed=1, runtime=require(runtime))(x), model.session(seed=1)(x), rtol=1e-5, atol=1e-6)


def test_a_file_is_checked_too(tmp_path: Path) -> None:
    path = str(tmp_path / "net.onnx")
    netc.compile("input [T, 5] -> gru 4").save(path)
    code, output = run_netc("run", path, "--random", "--runtime", require("tract"))
    assert (code, "cannot run `gru1/GRU`, a node of GRU: its recurrent kernels end the process" in output) == (1, True), output


def test_a_file_that_divides_integers_is_checked_too(tmp_path: Path) -> None:
    path = str(tmp_path / "net.onnx")
    netc.compile("x = input 3 int64; x % 3").save(path)
    code, output = run_netc("run", path, "--random", "--runtime", require("openvino"))
    assert (code, "a node of Mod: it divides integers in float32" in output) == (1, True), output


def test_integers_beyond_32_bits_are_refused() -> None:
    session = netc.compile("x = input 3 int64; x * 2").session(runtime=require("openvino"))
    with pytest.raises(ValueError, match="beyond"):
        session(np.array([[2**31, 5, 1]]))


@pytest.mark.parametrize(
    "text", ["x = input [T] int64; x -> flip 1", "x = input 3 int64; x -> bitwise_left_shift 20", "x = input 3 int64; x -> slice 1"]
)
def test_bounds_of_64_bits_are_no_numbers(text: str) -> None:
    model, x = netc.compile(text), np.array([[1, -2, 3]])
    np.testing.assert_array_equal(model.session(runtime=require("openvino"))(x), model.session()(x))


def test_softplus_of_half_floats() -> None:
    model, x = netc.compile("input 3 float16 -> softplus"), np.array([[-30.0, 11.5, 300.0]], dtype=np.float16)
    np.testing.assert_allclose(model.session(runtime=require("tract"))(x), model.session()(x), rtol=1e-3)


def test_limits_name_operators_that_exist() -> None:
    names = {name for profile in PROFILES.values() for limit in profile.stage_limits for name in limit.operators}
    names |= {name for profile in PROFILES.values() for name in profile.written_out}
    assert names <= set(Operator.registry)


def list_notes(runtime: str, text: str, *, verbose: bool) -> tuple[str, ...]:
    inputs = netc.compile(text).backend_input(None, 0, GraphOptions(runtime=runtime))
    return BACKEND.notes(inputs, verbose=verbose)


@pytest.mark.parametrize(("text", "is_named"), [("x = input 3; y = input 3; (x, y) -> atan2", True), ("input 3 -> sigmoid", False)])
@pytest.mark.parametrize("runtime", ["openvino", "tract"])
def test_differences_of_the_operators_are_noted(runtime: str, text: str, is_named: bool) -> None:
    notes = list_notes(runtime, text, verbose=True)
    assert any("`atan2`" in note for note in notes) == is_named
    assert any("NaN" in note for note in notes)
    assert list_notes(runtime, text, verbose=False) == ()


@pytest.mark.parametrize(
    ("runtime", "text", "word"),
    [
        ("openvino", "input [T] int64 -> embedding 5 4", "an index out of range"),
        ("tract", "input [T] int64 -> embedding 5 4", "ends the process"),
        ("tract", "input 3 -> cast int8", "`cast`"),
        ("openvino", "input 3 -> prod axis=1", "`cumprod`"),
    ],
)
def test_differences_that_only_some_numbers_show(runtime: str, text: str, word: str) -> None:
    assert any(word in note for note in list_notes(runtime, text, verbose=True))
    assert not any(word in note for note in list_notes(runtime, "input 3 -> sigmoid", verbose=True))


def test_a_difference_of_ordinary_numbers_is_always_noted() -> None:
    (note,) = list_notes("tvm", "input [1, 3] -> sigmoid", verbose=False)
    assert "absolute error of 3e-7" in note


@pytest.mark.parametrize("runtime", ["openvino", "tract"])
def test_files_that_are_no_models_are_errors(runtime: str, tmp_path: Path) -> None:
    path = tmp_path / "garbage.onnx"
    path.write_text("garbage\n")
    code, output = run_netc("run", str(path), "--random", "--runtime", require(runtime))
    assert (code, "it is no ONNX model" in output) == (1, True), output
    node = helper.make_node("Unknown", ["x"], ["y"], domain="no.such.domain")
    save_graph(path, [node], ["y"])
    code, output = run_netc("run", str(path), "--random", "--runtime", runtime)
    assert (code, "cannot load" in output, "no.such.domain" in output) == (1, True, True), output


def test_an_output_given_twice_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "twice.onnx"
    save_graph(path, [helper.make_node("Relu", ["x"], ["y"])], ["y", "y"])
    code, output = run_netc("run", str(path), "--random", "--runtime", require("tract"))
    assert (code, "returns `y` twice" in output) == (1, True), output


def test_loops_over_no_elements_do_not_end_the_process() -> None:
    session = netc.compile("x = input [T, 3]; z = (x -> sum axis=2) * 0; x -> scan (h = z) axis=2 { h = in + h }").session(
        runtime=require("openvino")
    )
    assert session(np.ones((2, 2, 3))).shape == (2, 2, 3)
    with pytest.raises(ValueError, match="the input `x` is \\[0, 2, 3\\]: without elements, OpenVINO's Scan may end the process"):
        session(np.ones((0, 2, 3)))


def save_graph(path: Path, nodes: list[NodeProto], outputs: list[str]) -> None:
    x, *results = (helper.make_tensor_value_info(name, TensorProto.FLOAT, [3]) for name in ("x", *outputs))
    path.write_bytes(
        helper.make_model(helper.make_graph(nodes, "g", [x], results), opset_imports=[helper.make_opsetid("", 18)]).SerializeToString()
    )


@pytest.mark.long
def test_operators_that_tvm_computes_by_tanh() -> None:
    found = set()
    for name, operator in Operator.registry.items():
        for text in operator.examples:
            model = netc.compile(text)
            if [node.op.name for node in model.program.main.nodes if isinstance(node, OpNode)] == [name]:
                graph = model.onnx(seed=0, opset=PROFILES["tvm"].opset)
                nodes = {node.op_type for nodes in (graph.graph.node, *(part.node for part in graph.functions)) for node in nodes}
                found |= {name} if nodes & {"Tanh", "Sigmoid", "Softplus", "Mish"} else set()
    assert found == WITH_TANH
