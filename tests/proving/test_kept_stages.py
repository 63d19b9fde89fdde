"""`--keep`: stages of a float16 model in float32. The judge is the float32 model, and plain float16, which overflows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from zoo.small import SMALL

import netc
from netc.cli import cli
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.ir.verify import verify_program
from netc.compiler.types.numpy_types import Array, to_array
from netc.compiler.weights.match_weights import WeightsError

GATED = """
block gated(x: [N, T, 6], hidden) { (x -> dense hidden silu as gate) * (x -> dense hidden as up) -> dense 6 as down }
block layer(x: [N, T, 6], hidden) { out x + (x -> rms_norm as norm -> gated hidden as mlp) }
x = input [T, 6]
x -> repeat 3 as layers { layer 12 } -> layer_norm as last -> dense 4 as head
"""
SQUARES = "x = input [T, 8]; y = x -> dense 8 as wide; s = y ** 2 -> mean axis=-1 keepdim=true; y ** 2 / s -> dense 3 as fc"
CONVOLUTIONS = "input 3x8x8 -> conv 4 3x3 relu as one -> conv 4 3x3 relu as two -> group_norm 2 as norm -> global_avg_pool -> dense 3 as fc"


def scaled(model: netc.Model, factors: Mapping[str, float]) -> dict[str, Array]:
    """Drawn weights, some of them scaled."""
    drawn = dict(model.backend_input(seed=0).open_arrays())
    return {name: (a * factors.get(name.rpartition(".")[0], 1.0)).astype(a.dtype) for name, a in drawn.items()}


def draw(model: netc.Model, **sizes: int) -> dict[str, Array]:
    generator = np.random.default_rng(0)
    shapes = {name: [d if isinstance(d, int) else sizes.get(str(d), 5) for d in t.shape] for name, t in model.inputs.items()}
    return {name: generator.normal(size=shape).astype(np.float32) for name, shape in shapes.items()}


def run(model: netc.Model, weights: Mapping[str, Array], inputs: Mapping[str, Array]) -> list[torch.Tensor]:
    module = model.module(weights).eval()
    tensors = [torch.from_numpy(a) for a in inputs.values()]
    halves = [x.to(getattr(torch, t.dtype.name)) for x, t in zip(tensors, model.inputs.values(), strict=True)]
    with torch.no_grad():
        found = module(*halves)
    return [y.double() for y in (found if isinstance(found, tuple) else (found,))]


def assert_mended(model: netc.Model, half: netc.Model, weights: dict[str, Array], inputs: dict[str, Array], named: set[str]) -> None:
    """The check names the stages, plain float16 is not finite, and `report.kept` makes it finite and near float32, in ONNX Runtime too."""
    report = model.check_ranges(weights, calibration=inputs)
    assert {stage.path for stage in report.overflowing} >= named
    (wanted, *_) = run(model, weights, inputs)
    (plain, *_) = run(half, weights, inputs)
    assert not plain.isfinite().all()
    kept = half.keep_in_float32(report.kept)
    verify_program(kept.program)
    (found, *_) = run(kept, weights, inputs)
    tolerance = 0.02 * float(wanted.abs().max())
    assert float((found - wanted).abs().max()) <= tolerance
    assert kept.outputs == half.outputs
    assert set(kept.parameters) == set(model.parameters)
    fed = {name: a.astype(np.float16) if a.dtype == np.float32 else a for name, a in inputs.items()}
    session = kept.session(weights)(**fed)
    first = next(iter(session.values())) if isinstance(session, dict) else session
    assert float(np.abs(first.astype(np.float64) - wanted.numpy()).max()) <= tolerance


@pytest.mark.parametrize(
    ("text", "factors", "named"),
    [
        (GATED, {"layers.1.mlp.down": 3e4, "layers.1.mlp.up": 20}, {"layers.1.mlp.down", "layers.1.add1", "layers.2.add1"}),
        (SQUARES, {"wide": 2000}, {"pow1"}),
        (CONVOLUTIONS, {"one": 500, "two": 500}, {"two"}),
    ],
)
def test_models_that_overflow(text: str, factors: dict[str, float], named: set[str]) -> None:
    model = netc.compile(text)
    assert_mended(model, model.in_type("float16"), scaled(model, factors), draw(model), named)


def test_feed_forward_part_of_t5() -> None:
    """T5's known overflow: the feed-forward parts of its published sizes pass float16 (transformers #9295)."""
    small, model = SMALL["t5 encoder"], SMALL["t5 encoder"].compiled()
    weights = dict(model.backend_input(seed=0).open_arrays())
    for name in weights:
        if ".DenseReluDense." in name:
            weights[name] = weights[name] * np.float32(300)
    inputs = {name: to_array(x) for name, x in zip(model.inputs, small.inputs(model), strict=True)}
    parts = {path for path in model.list_stages() if path.endswith("DenseReluDense.wo")}
    assert parts
    assert_mended(model, small.compiled("float16"), weights, inputs, parts)


@pytest.mark.long
def test_flax() -> None:
    jnp = pytest.importorskip("jax.numpy")
    model = netc.compile(GATED)
    weights, inputs = scaled(model, {"layers.1.mlp.down": 3e4, "layers.1.mlp.up": 20}), draw(model)
    report = model.check_ranges(weights, calibration=inputs)
    module = model.in_type("float16").keep_in_float32(report.kept).flax(weights)
    module.eval()
    found = np.asarray(module(jnp.asarray(inputs["x"], jnp.float16)), np.float64)
    assert np.abs(found - run(model, weights, inputs)[0].numpy()).max() < 0.02


def test_a_stage_that_fits_stays_float16() -> None:
    model = netc.compile(GATED)
    report = model.check_ranges(scaled(model, {}), calibration=draw(model))
    assert report.kept == ()
    large = model.check_ranges(scaled(model, {"layers.1.mlp.down": 3e4, "layers.1.mlp.up": 20}), calibration=draw(model))
    assert not {"layers.0.mlp.down", "layers.0.add1", "head", "layers.2.mlp.gate"} & set(large.kept)


def test_without_data_all_stages_without_a_proof_are_kept() -> None:
    model = netc.compile("x = input 3; out x -> tanh -> dense 2 as fc, x * 2")
    assert model.check_ranges(seed=0).kept == ("mul1",)


def converted(text: str, *paths: str) -> netc.Model:
    kept = netc.compile(text).in_type("float16").keep_in_float32(paths)
    verify_program(kept.program)
    return kept


def test_a_weight_beyond_float16_is_kept() -> None:
    """The results are small, but the weight has no float16."""
    model = netc.compile("x = input 2; y = tanh(x) * 1e-4; y -> dense 2 as fc -> dense 1 as last")
    weights = dict(model.backend_input(seed=0).open_arrays()) | {"fc.weight": np.full((2, 2), 1e5, np.float32)}
    with pytest.raises(WeightsError, match=r"fc\.weight"):
        model.in_type("float16").module(weights)
    report = model.check_ranges(weights, calibration=draw(model))
    assert [(s.path, s.reached) for s in report.overflowing] == [("fc", 1e5)]
    kept = model.in_type("float16").keep_in_float32(report.kept)
    assert float((run(kept, weights, draw(model))[0] - run(model, weights, draw(model))[0]).abs().max()) < 0.05


def test_the_parameters_of_a_kept_stage_are_float32() -> None:
    kept = converted("input 3 -> dense 4 as a -> relu -> dense 2 as b", "a")
    assert {name: str(info.dtype) for name, info in kept.parameters.items()} == {
        "a.weight": "float32", "a.bias": "float32", "b.weight": "float16", "b.bias": "float16"
    }  # fmt: skip


def test_the_path_of_a_block_keeps_all_of_it() -> None:
    kept = converted(GATED, "layers.1")
    wide = {name for name, info in kept.parameters.items() if str(info.dtype) == "float32"}
    assert wide == {name for name in kept.parameters if name.startswith("layers.1.")}


@pytest.mark.parametrize("path", ["embed", "head"])
def test_a_tied_parameter_has_one_type(path: str) -> None:
    text = "t = input [T] int64; t -> embedding 9 4 as embed -> dense 4 as mid -> dense 9 bias=false tie=embed as head"
    kept = converted(text, path)
    assert {name: str(info.dtype) for name, info in kept.parameters.items()} == {
        "embed.weight": "float32", "mid.weight": "float16", "mid.bias": "float16", "head.weight": "float32"
    }  # fmt: skip
    tokens = torch.tensor([[1, 5, 8]])
    wanted = run_tokens(netc.compile(text), kept, tokens)
    assert wanted[0].dtype == torch.float32


def run_tokens(model: netc.Model, kept: netc.Model, tokens: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The results of float32 and of the kept model, which are near each other."""
    weights = dict(model.backend_input(seed=0).open_arrays())
    with torch.no_grad():
        wanted, found = model.module(weights)(tokens), kept.module(weights)(tokens)
    assert float((wanted - found.float()).abs().max()) < 0.02
    return wanted, found


def test_embedded_weights_as_tensors_have_one_type() -> None:
    text = "t = input [T] int64; h = t -> embedding 9 4 as embed; h @ (embed.weight -> transpose 0 1)"
    run_tokens(netc.compile(text), converted(text, "embed"), torch.tensor([[1, 5, 8]]))


def test_loops_and_lists_keep_their_types() -> None:
    loop = "x = input [T, 3]; (y, h) = x -> scan (h = table (n, i) [N, 3] = 0.0) axis=1 { h = tanh(in * 2 + h); out h }; out y"
    several = "block pair(a: [N, 3], b: [N, 3]) { out a * 2, b + a }; x = input 3; (p, q) = (x * 3, x) -> pair; out p, q"
    modes = "x = input 3; y = x * 5 -> if training { dropout 0.5 } else { relu }; out y -> dense 2 as fc"
    for text in (loop, several, modes):
        model = netc.compile(text)
        weights = dict(model.backend_input(seed=0).open_arrays())
        for path in model.list_stages():
            if path in model.in_type("float16").list_stages():
                for wanted, found in zip(run(model, weights, draw(model)), run(converted(text, path), weights, draw(model)), strict=True):
                    assert float((wanted - found).abs().max()) < 0.02


@pytest.mark.parametrize("name", ["llama", "gpt2", "whisper", "swin"])
@pytest.mark.sample(1)
def test_every_other_stage_of_a_model(name: str) -> None:
    """Casts around any stages change no result by more than rounding."""
    half, model = SMALL[name].compiled("float16"), SMALL[name].compiled()
    kept = half.keep_in_float32(half.list_stages()[::2])
    verify_program(kept.program)
    weights = dict(model.backend_input(seed=0).open_arrays())
    inputs = {key: to_array(x) for key, x in zip(model.inputs, SMALL[name].inputs(model), strict=True)}
    for wanted, found in zip(run(model, weights, inputs), run(kept, weights, inputs), strict=True):
        assert float((wanted - found).abs().max()) <= 0.02 * max(1.0, float(wanted.abs().max()))


def test_outputs_with_keep_io_are_not_rounded() -> None:
    """A number beyond float16 is an output of float32."""
    model = netc.compile("input 3 -> dense 2 as fc").in_type("float16", keep_io=True)
    weights = {"fc.weight": np.full((2, 3), 3e4, np.float32), "fc.bias": np.zeros(2, np.float32)}
    ones = {"input": np.ones((1, 3), np.float32)}
    assert run(model, weights, ones)[0].isinf().all()
    assert run(model.keep_in_float32(["fc"]), weights, ones)[0].tolist() == [[9e4, 9e4]]


def test_wrong_stages() -> None:
    half = netc.compile("input 3 -> dense 2 as fc").in_type("float16")
    with pytest.raises(ValueError, match="the model has no stage `fcs`: did you mean `fc`"):
        half.keep_in_float32(["fcs"])
    with pytest.raises(ValueError, match="nothing to keep"):
        netc.compile("input 3 -> dense 2 as fc").keep_in_float32(["fc"])
    with pytest.raises(TypeError, match="several paths"):
        half.keep_in_float32("fc")
    with pytest.raises(TypeError, match="several paths"):
        half.keep_in_float32([None])  # type: ignore[list-item]


def run_cli(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="netc")


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.net").write_text(SQUARES)
    model = netc.compile(SQUARES)
    weights, inputs = scaled(model, {"wide": 2000}), draw(model)
    np.savez("weights.npz", **weights)
    np.savez("samples.npz", **inputs)
    words = ("compile", "model.net", "--dtype", "float16", "--weights", "weights.npz")
    done = run_cli(*words, "--keep", "auto", "--calibration", "samples.npz", "-o", "kept.onnx")
    assert (done.exit_code, "kept in float32: " in done.stderr) == (0, True)
    assert "`pow1`" in done.stderr
    fed = {"x": inputs["x"].astype(np.float16)}
    np.testing.assert_allclose(OnnxSession(Path("kept.onnx"))(**fed), run(model, weights, inputs)[0], atol=0.02)
    done = run_cli(*words, "--keep", "auto", "--calibration", "samples.npz", "-o", "kept.py")
    assert done.exit_code == 0
    assert ".float()" in Path("kept.py").read_text()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--keep", "fc"), "give --dtype float16"),
        (("--keep", "auto", "--dtype", "bfloat16"), "bfloat16 has the range of float32"),
        (("--keep", "auto", "--dtype", "float16"), "--keep auto needs --weights"),
        (("--keep", "fc", "--dtype", "float16", "--stream", "T"), "it goes without"),
        (("--keep", ",", "--dtype", "float16"), "expected auto|STAGE,..."),
        (("--keep", "fcs", "--dtype", "float16"), "no stage `fcs`: did you mean `fc`?"),
    ],
)
def test_wrong_options(words: tuple[str, ...], message: str, tmp_path: Path) -> None:
    done = run_cli("compile", "-e", "input [T, 3] -> dense 2 as fc", "-o", str(tmp_path / "out.onnx"), *words)
    assert done.exit_code == 2
    assert message in done.stderr
