"""`netc check --range` and `Model.check_ranges`: which stages float16 does not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result

import netc
from netc.cli import cli
from netc.compiler.weights.match_weights import WeightsError

TEXT = "x = input 4; h = x -> tanh -> dense 8 as up -> gelu -> dense 3 as down; out h, x -> dense 2 as free"


def run_cli(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="netc")


def weights(**changed: Any) -> dict[str, Any]:
    made = dict(netc.compile(TEXT).backend_input(seed=0).open_arrays())
    return made | {name.replace("_", "."): np.asarray(value, np.float32) for name, value in changed.items()}


def samples(count: int = 20) -> dict[str, Any]:
    return {"x": np.random.default_rng(0).normal(size=(count, 4)).astype(np.float32)}


def test_a_report_tells_bounds_from_measurements() -> None:
    model = netc.compile(TEXT)
    report = model.check_ranges(weights(), calibration=samples())
    assert {s.path: s.evidence for s in report.stages} == {
        "tanh1": "bounded", "up": "bounded", "gelu1": "bounded", "down": "bounded", "free": "measured"
    }  # fmt: skip
    module = model.module(weights()).eval()
    with torch.no_grad():
        down, free = module(torch.from_numpy(samples()["x"]))
    by_path = {s.path: s for s in report.stages}
    assert by_path["free"].largest == pytest.approx(float(free.abs().max()), rel=1e-6)
    assert by_path["down"].measured == pytest.approx(float(down.abs().max()), rel=1e-6)
    assert report.samples == 20
    assert not report.overflowing
    assert "4 of 5 stages bounded, 1 measured on 20 samples" in str(report)


def test_the_condition_of_the_bounds_is_stated() -> None:
    text = "x = input 4; x -> layer_norm -> dense 2 as fc"
    assert netc.compile(text).check_ranges(seed=0).limit == (
        "the bounds after `layer_norm` hold as long as the numbers of a row deviate by at least 1/65536 of the largest"
    )
    assert netc.compile(TEXT).check_ranges(seed=0).limit == ""


def test_without_data_a_stage_without_a_bound_is_unknown() -> None:
    *_, free = netc.compile(TEXT).check_ranges(weights()).stages
    assert (free.evidence, free.measured, free.may_overflow, free.overflows) == ("unknown", None, True, False)


def test_large_weights_overflow() -> None:
    large = weights(down_weight=np.full((3, 8), 6e4))
    by_path = {s.path: s for s in netc.compile(TEXT).check_ranges(large, calibration=samples()).stages}
    assert by_path["down"].overflows
    assert not by_path["up"].overflows
    without = {s.path: s for s in netc.compile(TEXT).check_ranges(large).stages}
    assert not without["down"].overflows  # the data might be zeros
    assert without["down"].may_overflow


def test_a_constant_proves_an_overflow() -> None:
    report = netc.compile("x = input 3; big = table (i) [3] = 1e5 * (i + 1); out tanh(x) * big").check_ranges()
    assert [s.path for s in report.overflowing] == ["table1"]
    (big,) = report.overflowing
    assert big.reached == pytest.approx(3e5)


def test_scores_inside_of_attention_overflow() -> None:
    """Its results are means of the values, and its scores are products of queries and keys."""
    model = netc.compile("q = input 1xTx4; v = input 1xTx4; (q, q, v) -> attention scale=1e-6")
    large = {"q": np.full((1, 1, 3, 4), 200, np.float32), "v": np.ones((1, 1, 3, 4), np.float32)}
    (attention,) = model.check_ranges(calibration=large).stages
    assert attention.overflows
    assert not attention.result_overflows
    assert attention.inner_measured == 4 * 200**2
    small = large | {"q": np.full((1, 1, 3, 4), 100, np.float32)}
    assert not model.check_ranges(calibration=small).overflowing


def test_scores_inside_of_multihead_attention_overflow() -> None:
    """The projections of PyTorch's module are the judge."""
    model = netc.compile("input [T, 8] -> multihead_attention 2 as mix")
    large = dict(model.backend_input(seed=0).open_arrays())
    large["mix.in_proj_weight"] = large["mix.in_proj_weight"] * np.float32(300)
    data = {"input": np.random.default_rng(0).normal(size=(1, 5, 8)).astype(np.float32)}
    (stage,) = model.check_ranges(large, calibration=data).stages
    mix = model.module(large).mix
    with torch.no_grad():
        q, k, _ = torch.nn.functional.linear(torch.from_numpy(data["input"]), mix.in_proj_weight, mix.in_proj_bias).chunk(3, -1)
    heads = [(q[..., i : i + 4] / 2) @ k[..., i : i + 4].transpose(1, 2) for i in (0, 4)]
    assert stage.inner_measured == pytest.approx(max(float(h.abs().max()) for h in heads), rel=1e-5)
    assert stage.inner_measured > 65504
    assert stage.overflows
    assert not stage.result_overflows


def test_an_index_beyond_the_table_is_an_error() -> None:
    model = netc.compile("input [T] int64 -> embedding 5 3 as words")
    with pytest.raises(ValueError, match="`words` fails on the calibration data: index out of range"):
        model.check_ranges(seed=0, calibration={"input": np.array([[7]])})


def test_an_overflow_of_float32_is_one_of_float16() -> None:
    (stage,) = netc.compile("x = input 2; exp(x)").check_ranges(calibration={"x": np.array([[1.0, 1000.0]], np.float32)}).stages
    assert stage.overflows
    assert stage.measured == np.inf


def test_a_mask_of_infinities_does_not_overflow() -> None:
    text = "x = input [T, 3]; hidden = input [T, 3] bool; (x, hidden) -> masked_fill (-inf) -> softmax axis=-1"
    data = {"x": np.ones((1, 2, 3), np.float32), "hidden": np.array([[[True, False, False]] * 2])}
    report = netc.compile(text).check_ranges(calibration=data)
    assert [s.measured for s in report.stages] == [1.0, 0.5]
    assert not report.overflowing


def test_stages_of_loops_are_measured() -> None:
    text = "x = input [T, 2]; (y, h) = x -> scan (h = table (n, i) [N, 2] = 1.0) axis=1 { h = h * 2 + in; out h }; out y"
    report = netc.compile(text).check_ranges(calibration={"x": np.zeros((1, 20, 2), np.float32)})
    assert max(s.measured or 0 for s in report.stages) == 2**20
    assert {s.operator for s in report.overflowing} == {"mul", "add"}


def test_gradients_are_written_out() -> None:
    report = netc.compile("x = input 3; y = x -> sin; out gradient(y, x)").check_ranges()
    assert [s.largest for s in report.stages if s.operator == "cos"] == [pytest.approx(1, rel=1e-5)]


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_weights_must_be_finite(wrong: float) -> None:
    with pytest.raises(WeightsError, match=r"`up\.weight` has NaN or infinite numbers"):
        netc.compile(TEXT).check_ranges(weights(up_weight=np.full((8, 4), wrong)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "the calibration lacks `x`"),
        ({"x": np.ones((2, 5), np.float32)}, "does not fit"),
        ({"x": np.full((2, 4), np.nan, np.float32)}, "has NaN"),
        ({"x": np.ones((0, 4), np.float32)}, "no samples"),
    ],
)
def test_data_must_fit(data: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        netc.compile(TEXT).check_ranges(weights(), calibration=data)


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("model.net").write_text(TEXT)
    np.savez("weights.npz", **weights())
    np.savez("samples.npz", **samples())
    done = run_cli("check", "model.net", "--range", "--weights", "weights.npz", "--calibration", "samples.npz")
    assert done.exit_code == 0
    assert "no errors" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()] == ["stage", "tanh1", "up", "gelu1", "down", "free", "4"]
    np.savez("weights.npz", **weights(down_weight=np.full((3, 8), 6e4)))
    done = run_cli("check", "model.net", "--range", "--weights", "weights.npz", "--calibration", "samples.npz", "--format", "short")
    assert done.exit_code == 1
    assert "range-overflow" in done.stdout
    assert "stage" not in done.stdout


def test_tables_of_several_models_have_their_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pair.net").write_text("model squash { input 4 -> tanh }\nmodel squeeze { input 4 -> sigmoid }")
    lines = run_cli("check", "pair.net", "--range").stdout.splitlines()
    assert [line.split()[0] for line in lines if line] == ["squash:", "stage", "tanh1", "1", "squeeze:", "stage", "sigmoid1", "1"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--range",), "--range needs --weights"),
        (("--calibration", "samples.npz"), "--calibration is for --range"),
        (("--range", "--dtype", "float16"), "leave out --dtype"),
    ],
)
def test_options_that_do_not_go_together(words: tuple[str, ...], message: str) -> None:
    done = run_cli("check", "-e", TEXT, *words)
    assert done.exit_code == 2
    assert message in done.stderr
