"""The ONNX model: its names, sizes, constants and bytes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import nullcontext

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, numpy_helper

import netc
from netc.compiler.backends.onnx import onnx_emitters
from netc.compiler.backends.onnx.onnx_model import build_model_proto
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.backends.onnx.unsupported_in_onnx import UnsupportedInOnnx
from netc.compiler.ops.dense import Dense
from netc.compiler.weights.match_weights import draw_initial_values


def written(text: str) -> ModelProto:
    """The model, which the checker has passed in full."""
    proto = netc.compile(text).onnx()
    onnx.checker.check_model(proto, full_check=True)
    return proto


def run(text: str, *arrays: np.ndarray) -> dict[str, np.ndarray]:
    session = OnnxSession(written(text))
    found = session(*arrays)
    return found if isinstance(found, dict) else dict.fromkeys(session.outputs, found)


def nodes(proto: ModelProto) -> list[tuple[str, str, list[str], list[str]]]:
    return [(n.name, n.op_type, list(n.input), list(n.output)) for n in proto.graph.node]


def axes(value: onnx.ValueInfoProto) -> list[int | str]:
    return [d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim]


def initializers(proto: ModelProto) -> list[str]:
    return [t.name for t in proto.graph.initializer]


# --- the frame -------------------------------------------------------------------------------------------------------------


def test_the_frame() -> None:
    proto = written("input 3 -> dense 2 sigmoid -> dense 1 sigmoid")
    assert [(o.domain, o.version) for o in proto.opset_import] == [("", 23)]
    assert proto.ir_version == onnx.helper.OP_SET_ID_VERSION_MAP[("ai.onnx", 23)]
    assert proto.producer_name == "netc"
    entries = {entry.key: entry.value for entry in proto.metadata_props}
    assert entries.keys() == {"spec_hash", "netc_version"}
    assert all(entries.values())


def test_inputs_outputs_and_their_axes() -> None:
    proto = written("""
    image = input 3xHxW where H % 4 == 0
    mask = input [T] bool batch=false
    half = image -> conv 2 1x1 stride=2
    out half, mask
    """)
    assert [(v.name, axes(v)) for v in proto.graph.input] == [("image", ["N", 3, "H", "W"]), ("mask", ["T"])]
    assert [(v.name, axes(v)) for v in proto.graph.output] == [("half", ["N", 2, "H/2", "(W + 1)//2"]), ("mask_", ["T"])]
    assert proto.graph.input[1].type.tensor_type.elem_type == TensorProto.BOOL


def test_names_are_those_of_the_spec() -> None:
    proto = written("block b { dense 4 relu }\ninput 4 -> repeat 2 as layers { b } -> dense 2 as head")
    assert nodes(proto) == [
        ("layers.0.dense1", "Gemm", ["input", "layers.0.dense1.weight", "layers.0.dense1.bias"], ["layers.0.dense1"]),
        ("layers.0.relu1", "Relu", ["layers.0.dense1"], ["layers.0.relu1"]),
        ("layers.1.dense1", "Gemm", ["layers.0.relu1", "layers.1.dense1.weight", "layers.1.dense1.bias"], ["layers.1.dense1"]),
        ("layers.1.relu1", "Relu", ["layers.1.dense1"], ["layers.1.relu1"]),
        ("head", "Gemm", ["layers.1.relu1", "head.weight", "head.bias"], ["output"]),
    ]
    assert not proto.graph.value_info  # there is no sum before a layer normalization


def test_shapes_of_sums_before_normalizations() -> None:
    """They are the only ones within an optimized model: a balance of the time to load it and the time to run it."""
    proto = netc.compile("input [T, 4] -> repeat 2 { h = in + (in -> dense 4); h -> layer_norm }").onnx()
    shapes = {v.name: axes(v) for v in proto.graph.value_info}
    assert sorted(shapes) == sorted(node.output[0] for node in proto.graph.node if node.op_type == "Sum")
    assert list(shapes.values()) == [["N", "T", 4]] * 2


def test_inner_shapes() -> None:
    proto = netc.compile("block b { dense 4 relu }\ninput 4 -> repeat 2 as layers { b } -> dense 2 as head").onnx(optimize=False)
    assert {v.name: axes(v) for v in proto.graph.value_info}["layers.0.relu1"] == ["N", 4]


def test_weights_are_the_initializers() -> None:
    model = netc.compile("input 3 -> dense 2 as a")
    arrays = draw_initial_values(model.parameters, 3)
    proto = build_model_proto(model.program, arrays, "m", "")
    assert {t.name: numpy_helper.to_array(t).tolist() for t in proto.graph.initializer} == {n: a.tolist() for n, a in arrays.items()}


def test_what_is_not_used_is_not_there() -> None:
    proto = written("x = input 4; unused = x -> dense 9; x -> batch_norm as bn")
    assert sorted(initializers(proto)) == ["bn.bias", "bn.running_mean", "bn.running_var", "bn.weight"]


def test_missing_and_misshaped_arrays_are_refused() -> None:
    program = netc.compile("input 3 -> dense 2 as a").program
    with pytest.raises(ValueError, match=r"no values were given for `a\.weight`"):
        build_model_proto(program, {}, "m", "")
    with pytest.raises(ValueError, match=r"`a.weight` have the shape \[3\] instead of \[2, 3\]"):
        build_model_proto(program, {"a.weight": np.zeros(3, np.float32), "a.bias": np.zeros(2, np.float32)}, "m", "")


# --- inputs as outputs, values twice, names that meet -------------------------------------------------------------------------


def test_an_input_is_an_output() -> None:
    found = run("x = input 3; y = x; out y", np.ones((2, 3), np.float32))
    assert {n: a.tolist() for n, a in found.items()} == {"y": [[1] * 3] * 2}


def test_one_value_is_several_outputs() -> None:
    proto = written("x = input 3; a = x -> relu; b = a; out a, b")
    assert [n[1:] for n in nodes(proto)] == [("Relu", ["x"], ["a"]), ("Identity", ["a"], ["b"])]


def test_a_parameter_is_an_output() -> None:
    found = run("x = input 3; p = param [2] init=ones as p; q = x -> relu; out p, q", np.ones((2, 3), np.float32))
    assert sorted(a.tolist() for a in found.values() if a.ndim == 1) == [[1, 1]]


@pytest.mark.parametrize(
    "text", ["x = input 3\nw = x * param [3] init=ones as w\nout w, x", "x = input 3\nw = param [3] as w\nout x, w, w"]
)
def test_outputs_and_parameters_have_the_names_of_the_spec(text: str) -> None:
    """Also where both would have the same one."""
    model = netc.compile(text)
    graph = model.onnx().graph
    assert [x.name for x in graph.output] == list(model.outputs) == list(model.session().outputs)
    assert [x.name for x in graph.initializer] == list(model.parameters) == ["w"]


def test_names_that_meet_are_told_apart() -> None:
    text = "a = input 3; c = param [3] init=ones as a; b = (a -> relu as output) + c; out b"
    assert run(text, np.ones((1, 3), np.float32))["b"].tolist() == [[2, 2, 2]]


# --- sharing and ties -------------------------------------------------------------------------------------------------------


def test_a_shared_stage_has_its_initializers_once() -> None:
    proto = written("shared e = (dense 4 -> relu); a = input 3; b = input 3; (a -> e, b -> e) -> concat axis=1")
    assert initializers(proto) == ["e.0.weight", "e.0.bias"]
    assert [n[0] for n in nodes(proto)] == ["e.0", "e.1", "e.0_2", "e.1_2", "concat1"]


def test_a_tied_parameter_is_its_target() -> None:
    proto = written("tokens = input [T] int64; tokens -> embedding 10 8 as wte -> dense 10 bias=false tie=wte as head")
    assert initializers(proto) == ["wte.weight"]


# --- sizes at run time --------------------------------------------------------------------------------------------------------


def test_a_size_is_computed_once() -> None:
    proto = written("x = input [S, T]; a = table (i) [S * T] = i; b = table (i) [S * T + 1] = i; out a, b")
    kinds = [n[1] for n in nodes(proto)]
    assert (kinds.count("Shape"), kinds.count("Mul"), kinds.count("Range")) == (2, 1, 2)


@pytest.mark.parametrize(
    ("shape", "where", "size", "expected"),
    [
        ("[T]", "", 5, 5),
        ("[2 * T]", "", 10, 5),
        ("[T + 3]", "", 8, 5),
        ("[3 * T - 2]", "where T >= 2", 13, 5),
        ("[T]", "where T % 4 == 0", 8, 8),
        ("[T]", "where T % 4 == 1", 9, 9),
    ],
)
def test_a_symbol_is_read_where_it_can_be(shape: str, where: str, size: int, expected: int) -> None:
    text = f"x = input {shape} batch=false {where}; r = table (i) [T] = i; out r"
    assert run(text, np.zeros(size, np.float32))["r"].tolist() == list(range(expected))


def test_a_symbol_that_is_a_multiple_of_another() -> None:
    text = "x = input [D] batch=false where D % H == 0; y = input [H] batch=false; r = table (i) [D / H] = i; out x, y, r"
    assert run(text, np.zeros(6, np.float32), np.zeros(2, np.float32))["r"].tolist() == [0, 1, 2]


def test_a_symbol_that_nothing_tells() -> None:
    model = netc.compile("x = input [S * T] batch=false; r = table (i) [S] = i; out x, r")
    with pytest.raises(UnsupportedInOnnx, match="no axis of an input is `S`, or determines it"):
        build_model_proto(model.program, {}, "m", "")


@pytest.mark.parametrize(
    "expression", ["(T + 3) // 2", "(T - 5) // 3 + 4", "max(T, 4)", "min(T, 4)", "T * T", "T % 3 + 1", "max(T - 6, 3) * 2"]
)
@pytest.mark.parametrize("size", [1, 2, 4, 5, 7, 8])
def test_expressions_agree_with_python(expression: str, size: int) -> None:
    text = f"x = input [T] batch=false; r = table (i) [{expression}] = i; out r"
    assert len(run(text, np.zeros(size, np.float32))["r"]) == eval(expression, {"T": size, "max": max, "min": min})


# --- constants ----------------------------------------------------------------------------------------------------------------


def test_equal_constants_are_one() -> None:
    proto = written("x = input 3; (x * 2.5) + (x - 2.5) * 2.5")
    values = [numpy_helper.to_array(t).tolist() for t in proto.graph.initializer]
    assert values == [2.5]


# --- bytes --------------------------------------------------------------------------------------------------------------------

SPEC = """
block b(w) { main = in -> dense w -> layer_norm relu; main + in }
x = input [T, 8]; p = table (t, k) [T, 8] = sin(t / 10 ** (k / 8))
x + p -> repeat 3 as layers { b 8 } -> dense 2 as head
"""


def test_the_same_spec_gives_the_same_bytes() -> None:
    assert netc.compile(SPEC).onnx().SerializeToString() == netc.compile(SPEC).onnx().SerializeToString()


# --- types --------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float64"])
def test_floating_point_types(name: str) -> None:
    model = netc.compile(f"x = input 3 {name}; x -> dense 2 as d")
    proto = model.onnx()
    onnx.checker.check_model(proto, full_check=True)
    expected = draw_initial_values(model.parameters, 0)
    for tensor in proto.graph.initializer:
        array = numpy_helper.to_array(tensor)
        assert array.dtype.name == name
        assert array.tobytes() == expected[tensor.name].tobytes()


# --- size and what cannot be said ---------------------------------------------------------------------------------------------


@pytest.mark.long
def test_long_and_deep_models() -> None:
    proto = netc.compile("input 4 -> repeat 20_000 as layers { dense 4 relu }").onnx()
    assert len(proto.graph.node) == 40_000
    assert proto.graph.node[-2].name == "layers.19999.0"


def test_unsupported_says_where(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(op: Dense, site: onnx_emitters.Site) -> Sequence[str]:
        raise UnsupportedInOnnx("dense", "it is only a test")

    monkeypatch.setitem(onnx_emitters.EMITTERS, Dense, refuse)
    model = netc.compile("input 3 -> dense 2 as here -> relu")
    with pytest.raises(UnsupportedInOnnx) as caught:
        build_model_proto(model.program, draw_initial_values(model.parameters), "m", "")
    assert caught.value.span is not None
    assert caught.value.span.text.startswith("dense 2")


@pytest.mark.parametrize(("spec", "fits"), [("3xHxW", False), ("3x6x4", True), ("3x6xW", False)])
def test_a_scale_that_float32_does_not_have_needs_known_sizes(spec: str, fits: bool) -> None:
    """Runtimes compute the size of the result in float32, in which 2.1 times 30 is 62. PyTorch's result has the size 63."""
    for scale, is_exact in (("2.1", False), ("2.5", True)):
        model = netc.compile(f"input {spec} -> upsample scale={scale} mode=bilinear")
        with nullcontext() if fits or is_exact else pytest.raises(UnsupportedInOnnx, match="cannot represent this `scale` exactly"):
            build_model_proto(model.program, {}, "m", "")
