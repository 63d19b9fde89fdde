"""Functions of ONNX, one for each block: the same model as the flat one, in ONNX Runtime, and by onnx's own checks."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx import inliner
from zoo.small import SMALL

import netc
from netc.cli import cli
from netc.compiler.backends.onnx.block_functions import DOMAIN
from netc.compiler.backends.onnx.runtime import OnnxSession
from tests.parity import SEED, inputs_for, sizes_of

OPSETS = [
    pytest.param(17, marks=pytest.mark.zoo),
    pytest.param(21, marks=pytest.mark.zoo),
    pytest.param(23, marks=pytest.mark.long),
    pytest.param(25, marks=pytest.mark.zoo),
]
LAYER = "block layer(width) { in + (in -> layer_norm -> dense width relu -> dense (in.features)) }\n"
TEXTS = {
    "once": LAYER + "input [T, 8] -> layer 4 -> dense 3",
    "several times": LAYER + "input [T, 8] -> repeat 3 as layers { layer 4 } -> layer_norm -> dense 3",
    "with other widths": LAYER + "input [T, 8] -> layer 4 -> layer 4 -> layer 5",
    "that is the model": LAYER + "input [T, 8] -> layer 4",
    "in another": LAYER + "block two { in -> layer 4 -> layer 6 }\ninput [T, 8] -> two -> two -> layer_norm",
    "shared": LAYER + "shared one = layer 4\nx = input [T, 8]\none(x) + one(x * 2)",
    "of several tensors": "block swapped(a: [N, F], b: [N, F]) {\n  (b -> relu, a * 2)\n"
    "}\nx = input [8]\ny = input [8]\n(x, y)\n  -> swapped\n  -> swapped",
    "that passes its input on": "block same { in }\ninput [8] -> same -> relu -> same",
    "with sizes that are computed": "block flat { in -> flatten -> relu }\nblock ends { in -> slice 1 stop=(in.shape[1] - 1) -> relu }\n"
    "x = input [T, 8] where T > 1\n(x -> ends, x -> flat -> relu)",
    "with a loop": "block counted { x = in\n  zeros = table (n, i) [N, 8] float32 = 0\n"
    "  x -> scan (h = zeros) axis=1 { h = in + h * 0.5 } }\ninput [T, 8] -> counted -> counted",
    "in a loop": LAYER + "x = input [T, 8]\nzeros = table (n, i) [N, 8] float32 = 0\n"
    "x -> scan (h = zeros) axis=1 { h = (in + h) -> layer 4 as cell }",
    "with a table of its own": "block placed { in + (table (t, i) [100, 8] float32 = sin(t + i)) }\ninput [100, 8] -> placed -> placed",
    "with attention": "block mixed { in -> multihead_attention 2 causal=true }\ninput [T, 8] -> mixed -> mixed",
}


def same(
    flat: onnx.ModelProto, whole: onnx.ModelProto, model: netc.Model, sizes: Mapping[str, int] | None = None, limits: Any = None
) -> None:
    """The model with functions passes onnx's checks, has the initializers of the flat one, and computes the same."""
    onnx.checker.check_model(whole, full_check=True)
    names = {tensor.name for tensor in whole.graph.initializer}
    constants = {tensor.name for tensor in flat.graph.initializer} - names
    assert names <= {tensor.name for tensor in flat.graph.initializer}
    assert all(name.startswith("constant/") for name in constants)
    arrays = inputs_for(model, {**sizes_of(model)[1], **(sizes or {})}, limits=limits)
    left, right = (OnnxSession(proto)(*arrays.values()) for proto in (flat, whole))
    for one, other in zip(*(r.values() if isinstance(r, dict) else [r] for r in (left, right)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * max(1.0, float(np.abs(other).max(initial=0.0))))


def used(proto: onnx.ModelProto) -> list[str]:
    """The functions that the main graph calls, one for each call."""
    return [node.op_type for node in proto.graph.node if node.domain == DOMAIN]


@pytest.mark.parametrize("optimize", [True, False])
@pytest.mark.parametrize("opset", [17, 23])
@pytest.mark.parametrize("name", TEXTS)
def test_a_block(name: str, opset: int, optimize: bool) -> None:
    model = netc.compile(TEXTS[name])
    flat = model.onnx(seed=SEED, opset=opset, optimize=optimize)
    same(flat, model.onnx(seed=SEED, opset=opset, optimize=optimize, functions=True), model)


@pytest.mark.parametrize("opset", OPSETS)
@pytest.mark.parametrize("name", SMALL)
def test_the_zoo(name: str, opset: int) -> None:
    if name == "mixtral" and opset < 18:
        pytest.skip("grouped_linear needs more")
    small = SMALL[name]
    model = small.compiled()
    for optimize in (True, False):
        flat = model.onnx(seed=SEED, opset=opset, optimize=optimize)
        same(flat, model.onnx(seed=SEED, opset=opset, optimize=optimize, functions=True), model, dict(small.sizes), dict(small.below))


@pytest.mark.parametrize(
    ("name", "calls", "functions"),
    [
        ("once", ["layer"], ["layer"]),
        ("several times", ["layer"] * 3, ["layer"]),
        ("with other widths", ["layer", "layer", "layer_2"], ["layer", "layer_2"]),
        ("in another", ["two", "two"], ["layer", "two"]),
        ("shared", ["layer", "layer"], ["layer"]),
        ("that passes its input on", [], []),
        ("in a loop", [], []),
    ],
)
def test_which_there_are(name: str, calls: list[str], functions: list[str]) -> None:
    proto = netc.compile(TEXTS[name]).onnx(functions=True)
    assert used(proto) == calls
    assert [function.name for function in proto.functions] == functions
    assert [entry.domain for entry in proto.opset_import] == ["", *([DOMAIN] if functions else [])]


def test_names_are_those_of_the_block() -> None:
    proto = netc.compile(TEXTS["several times"]).onnx(functions=True)
    (function,) = proto.functions
    assert list(function.input)[:1] == ["in"]
    assert {"dense1.weight/Transpose", "dense2.bias", "layer_norm1.weight"} <= set(function.input)
    assert [node.name for node in proto.graph.node][:3] == ["layers.0", "layers.1", "layers.2"]
    assert not any("layers" in name for node in function.node for name in (node.name, *node.input, *node.output))


def test_small_constants_are_inside() -> None:
    inside = netc.compile("block scaled { in * 3.5 -> tanh }\ninput [8] -> relu -> scaled -> relu -> scaled -> relu").onnx(functions=True)
    assert [node.op_type for node in inside.functions[0].node] == ["Constant", "Mul", "Tanh"]
    assert not inside.graph.initializer
    outside = netc.compile(TEXTS["with a table of its own"]).onnx(functions=True)
    assert len(outside.graph.initializer) == 1
    assert len(outside.functions[0].input) == 2


def test_it_is_deterministic() -> None:
    first, second = (SMALL["llama"].compiled().onnx(seed=SEED, functions=True).SerializeToString() for _ in range(2))
    assert first == second


def test_onnx_opens_them() -> None:
    """onnx's own inliner gives the nodes of the flat model."""
    model = netc.compile(TEXTS["in another"])
    flat, whole = (model.onnx(seed=SEED, functions=f) for f in (False, True))
    opened = inliner.inline_local_functions(whole)
    kinds = [[n.op_type for n in p.graph.node if n.op_type != "Constant"] for p in (flat, opened)]
    assert sorted(kinds[0]) == sorted(kinds[1])


@pytest.mark.parametrize("keep_io", [True, False])
def test_half_precision(keep_io: bool) -> None:
    small = SMALL["llama"]
    model = small.compiled()
    flat, whole = (model.onnx(seed=SEED, dtype="float16", keep_io=keep_io, functions=f) for f in (False, True))
    same(flat, whole, model, dict(small.sizes), dict(small.below))


def test_large_weights_are_in_a_second_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = netc.compile(LAYER + "input [T, 64] -> repeat 2 as layers { layer 64 }")
    flat = model.session(seed=SEED)
    monkeypatch.setattr("netc.compiler.backends.onnx.save.LARGEST", 10_000)
    model.save(tmp_path / "x.onnx", seed=SEED, functions=True, metadata={"license": "MIT"})
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".data", ".onnx"]
    onnx.checker.check_model(str(tmp_path / "x.onnx"), full_check=True)
    assert "license" in {entry.key for entry in onnx.load(tmp_path / "x.onnx", load_external_data=False).metadata_props}
    x = np.random.default_rng(0).standard_normal((2, 3, 64), dtype=np.float32)
    np.testing.assert_array_equal(OnnxSession(tmp_path / "x.onnx")(x), flat(x))


@pytest.mark.parametrize("name", ["gpt2", "llama", "whisper"])
def test_streams(name: str, tmp_path: Path) -> None:
    """Of a step too, and of what comes before it."""
    stream = SMALL[name].compiled().stream("T")
    for functions in (False, True):
        (tmp_path / str(functions)).mkdir()
        stream.save(
            tmp_path / str(functions) / "step.onnx", seed=SEED, options=netc.inputs.argument_checks.check_graph_options(functions=functions)
        )
    for file in (tmp_path / "True").iterdir():
        flat, whole = onnx.load(tmp_path / "False" / file.name), onnx.load(file)
        onnx.checker.check_model(whole, full_check=True)
        assert used(whole)
        assert [i.name for i in whole.graph.input] == [i.name for i in flat.graph.input]
        generator = np.random.default_rng(0)
        known = {"N": 2, "T": 3, "P": 4}
        feeds = {}
        for info in whole.graph.input:
            shape = [d.dim_value or known.get(d.dim_param, 7) for d in info.type.tensor_type.shape.dim]
            kind = onnx.helper.tensor_dtype_to_np_dtype(info.type.tensor_type.elem_type)
            feeds[info.name] = (generator.random(shape) * (1 if kind.kind == "f" else 2)).astype(kind)
        left, right = (OnnxSession(proto)(**feeds) for proto in (flat, whole))
        pairs = zip(left.values(), right.values(), strict=True) if isinstance(left, dict) else [(left, right)]
        for one, other in pairs:
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6 * max(1.0, float(np.abs(other).max(initial=0.0))))


@pytest.mark.parametrize("name", ["resnet", "bert"])
@pytest.mark.long
def test_import_reads_them(name: str, tmp_path: Path) -> None:
    small = SMALL[name]
    model = small.compiled()
    model.save(tmp_path / "x.onnx", seed=SEED, functions=True)
    found = netc.from_onnx(tmp_path / "x.onnx")  # which compares it with what ONNX Runtime computes
    arrays = inputs_for(model, {**sizes_of(model)[1], **small.sizes}, limits=dict(small.below))
    left = model.session(seed=SEED)(*arrays.values())
    right = found.session()(*arrays.values())
    for one, other in zip(*(r.values() if isinstance(r, dict) else [r] for r in (left, right)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_the_command_line(tmp_path: Path) -> None:
    path = str(tmp_path / "x.onnx")
    done = CliRunner().invoke(cli, ["compile", "-e", TEXTS["several times"], "--functions", "-o", path])
    assert done.exit_code == 0, done.output
    assert used(onnx.load(path)) == ["layer"] * 3


def test_what_is_refused(tmp_path: Path) -> None:
    model, path = netc.compile(TEXTS["once"]), tmp_path / "x.onnx"
    with pytest.raises(ValueError, match="does not look into functions: a quantized model is flat"):
        model.save(path, functions=True, quantize="int8")
    with pytest.raises(ValueError, match=r"is no graph of ONNX: `functions` is for `.onnx`"):
        model.save(tmp_path / "x.py", functions=True)
    with pytest.raises(TypeError, match="`functions` must be a bool, not str"):
        model.onnx(functions="yes")  # type: ignore[typeddict-item]
    words = ["compile", "-e", TEXTS["once"], "--functions", "--quantize", "int8", "-o", str(path)]
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert "does not look into functions" in done.output
    assert not any(tmp_path.iterdir())
