"""Inputs that change with the step (`vary`), against values and loops by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

import netc
from netc.training.stop_signals import Interrupted
from tests.training.runs import resume, train
from tests.training.test_resume import assert_same_run, stopping_at

TEXT = """
features = input 3
guess = features -> dense 1 -> squeeze 1

train {
  target = input []
  weight = input [] DTYPE batch=false
  error = (guess, target) -> mse_loss
  penalty = guess -> square -> mean
  loss = error + 0.5 * weight * penalty
  metric shown = weight * 1.0
  vary weight LINE
  optimizer sgd lr=0.1
  batch 8 ACCUMULATE
  steps 20
  VALIDATE
}
"""
DATA = {
    "features": np.random.default_rng(0).normal(size=(16, 3)).astype(np.float32),
    "target": np.random.default_rng(1).normal(size=16).astype(np.float32),
}


def make_text(line: str, dtype: str = "", accumulate: str = "", validate: str = "") -> str:
    text = TEXT.replace("LINE", line).replace("DTYPE", dtype).replace("ACCUMULATE", accumulate).replace("VALIDATE", validate)
    if not dtype:
        return text
    return text.replace("weight * 1.0", "weight -> cast float32").replace("0.5 * weight", "0.5 * (weight -> cast float32)")


def half_cosine(share: float) -> float:
    return (1 + math.cos(math.pi * share)) / 2


CASES = {
    "step": lambda step: step,
    "epoch": lambda step: step // 2,
    "progress": lambda step: step / 20,
    "warmup 7": lambda step: min(step / 7, 1),
    "linear": lambda step: 1 - step / 20,
    "linear to=0.1": lambda step: 1 - 0.9 * step / 20,
    "linear 5 to=3": lambda step: 1 + 2 * min(step, 5) / 5,
    "cosine": lambda step: half_cosine(step / 20),
    "cosine 30 to=-1": lambda step: 2 * half_cosine(step / 30) - 1,
    "constant": lambda step: 1,
    "warmup 4 -> constant 3 -> linear": lambda step: step / 4 if step < 4 else 1 if step < 7 else 1 - (step - 7) / 13,
    "constant 30 -> linear": lambda step: 1,
}


@pytest.mark.parametrize("line", CASES)
@pytest.mark.parametrize("accumulate", ["", "accumulate=3"])
@pytest.mark.sample(8)
def test_the_loss_has_the_value_of_the_step(line: str, accumulate: str, tmp_path: Path) -> None:
    result = train(tmp_path / "run", make_text(line, "", accumulate), DATA)
    lines = [json.loads(text) for text in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    shown = {entry["step"]: entry["shown"] for entry in lines}
    assert shown == pytest.approx({step + 1: CASES[line](step) for step in range(20)}, rel=1e-6, abs=1e-6)
    assert result.steps == 20


@pytest.mark.parametrize("line", ["step", "epoch"])
def test_a_counter_may_be_an_integer(line: str, tmp_path: Path) -> None:
    train(tmp_path / "run", make_text(line, "int64"), DATA)
    lines = [json.loads(text) for text in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    assert [entry["shown"] for entry in lines] == [CASES[line](step) for step in range(20)]


def test_the_weights_are_those_of_a_plain_loop(tmp_path: Path) -> None:
    """One batch holds all samples, so their order is of no account."""
    text = make_text("warmup 6 -> cosine").replace("batch 8", "batch 16")
    start = netc.compile(text).module(seed=1).state_dict()
    torch.save(start, tmp_path / "start.pt")
    train(tmp_path / "run", text, DATA, weights=tmp_path / "start.pt")
    layer = torch.nn.Linear(3, 1)
    layer.load_state_dict({name: start[f"dense1.{name}"] for name in ("weight", "bias")})
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.1)
    features, target = map(torch.from_numpy, DATA.values())
    for step in range(20):
        optimizer.zero_grad()
        guess = layer(features)[:, 0]
        weight = step / 6 if step < 6 else half_cosine((step - 6) / 14)
        ((guess - target).square().mean() + 0.5 * weight * guess.square().mean()).backward()
        optimizer.step()
    trained = load_file(tmp_path / "run" / "last.safetensors")
    for name, value in layer.state_dict().items():
        torch.testing.assert_close(trained[f"dense1.{name}"], value, rtol=1e-5, atol=1e-6)


def test_a_validation_has_the_value_of_the_steps_before_it(tmp_path: Path) -> None:
    train(tmp_path / "run", make_text("progress", "", "accumulate=2", "validate 0.5"), DATA)
    lines = [json.loads(text) for text in (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()]
    validated = [(entry["step"], entry["validation"]["shown"]) for entry in lines if "validation" in entry]
    assert len(validated) == 20
    for step, value in validated:
        assert value == pytest.approx(step / 20)


def test_a_resumed_run_goes_on_with_the_value(tmp_path: Path) -> None:
    text = make_text("warmup 6 -> cosine", "", "accumulate=2", "validate 0.25")
    train(tmp_path / "whole", text, DATA)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", text, DATA, on_report=stopping_at(5))
    resume(tmp_path / "run", DATA)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("weight", "`vary` takes an input, and how it changes"),
        ("weight warm 7", "there is no way to vary `warm`"),
        ("weight warmup", "`warmup` needs its number of steps"),
        ("weight warmup 0", "`warmup` takes a number of steps, an integer of at least 1"),
        ("weight linear -> cosine", "`linear` needs its number of steps, as another one follows"),
        ("weight step -> cosine", "`vary` counts by `step`, which is not followed by `->`"),
        ("weight step 3", "`step` takes no argument"),
        ("weight warmup 3 to=1", "`warmup` has no argument `to`"),
        ("weight cosine to=half", "`to` must be a number"),
        ("target warmup 3", "`vary` sets an input without axes, and `target` is [N]"),
        ("features warmup 3", "`vary` sets an input of the section, and `features` is an input of the model"),
        ("other warmup 3", "`vary` sets an input of the section, and `other` is none"),
        ("weight warmup 3; vary weight step", "`vary` sets `weight`, which another line sets too"),
    ],
)
def test_refused(line: str, message: str) -> None:
    text = make_text("weight").replace("vary weight weight", f"vary {line}")
    assert f"vary {line}" in text
    with pytest.raises(netc.CompileError) as caught:
        netc.compile(text).training()
    assert any(message in problem.message for problem in caught.value.diagnostics), [p.message for p in caught.value.diagnostics]
