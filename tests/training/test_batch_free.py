"""Terms of a loss that are the same for all samples, such as a penalty on weights or a learned variance, count once: PyTorch is the judge.

A step in parts, its report, the validation and the written file all have the loss, the gradient and the metrics of the one large batch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import netc
from netc.analysis import Choice, analyze_training
from netc.dsl.source import SourceFile
from netc.training.data.data_source import ArraySource
from netc.training.locate_data import DataRequest
from netc.training.loop import Trainer
from netc.training.objective import Objective
from netc.training.run_files import read_metrics
from netc.training.run_folder import RunFolder
from netc.training.training_session import RunRequest, prepare_training
from tests.training.test_ranks import assert_close
from tests.training.test_ranks import train as train_ranks
from tests.training.test_source import module_of

SPEC = """
block penalized(g: [N, 1], t: [N, 1], w: [3], k) {{ (g - t -> square -> mean) + k * (w -> square -> sum) }}
x = input 6
guess = x -> dense 8 tanh as hidden -> dense 1
s = param [] init=0.3 as s
w = param [3] init=normal(1) as w
out guess
train {{
  y = input 1
  error = guess - y -> square -> mean
  {lines}
  optimizer sgd lr=0.05
  batch {batch} accumulate={accumulate}
  epochs 1
}}
"""
Parameters = dict[str, Tensor]
CASES: dict[str, Any] = {
    "loss = error + (w -> square -> sum)": lambda e, p: e + p["w"].square().sum(),
    "loss = error + 0.1 * (w -> abs -> mean)": lambda e, p: e + 0.1 * p["w"].abs().mean(),
    "loss = (guess, y, w) -> penalized 0.3": lambda e, p: e + 0.3 * p["w"].square().sum(),
    "loss = error + s": lambda e, p: e + p["s"],
    "loss = exp(-s) * error + s": lambda e, p: (-p["s"]).exp() * e + p["s"],
    "loss = error / exp(s) + s * 2 - 1": lambda e, p: e / p["s"].exp() + p["s"] * 2 - 1,
    "loss = 0.5 * error - s * (guess -> abs -> mean) + (w -> square -> sum) * s": None,
    "loss = (guess - y -> square -> sum) + (w -> square -> sum)": None,
}
"""Where there is no function of the error, `reference` has the case."""
UNEVEN = 22
"""Samples of a batch: in parts of 6, 6, 5 and 5."""


def data(samples: int) -> dict[str, np.ndarray[Any, Any]]:
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=(samples, size)).astype(np.float32) for name, size in (("x", 6), ("y", 1))}


def reference(line: str, model: torch.nn.Module, batch: Parameters) -> Tensor:
    """The loss of the whole batch, in plain PyTorch."""
    p = dict(model.named_parameters())
    hidden = torch.tanh(batch["x"] @ p["hidden.weight"].T + p["hidden.bias"])
    guess = hidden @ p["dense1.weight"].T + p["dense1.bias"]
    error = (guess - batch["y"]).square()
    if CASES[line] is not None:
        return CASES[line](error.mean(), p)
    if "sum) +" in line:
        return error.sum() + p["w"].square().sum()
    return 0.5 * error.mean() - p["s"] * guess.abs().mean() + p["w"].square().sum() * p["s"]


def text(lines: str, batch: int, accumulate: int) -> str:
    return SPEC.format(lines=lines, batch=batch, accumulate=accumulate)


def trainer(lines: str, samples: int, batch: int, accumulate: int, folder: Path, settings: str = "") -> Trainer:
    analysis = analyze_training(SourceFile("spec.net", text(f"{lines}\n{settings}", batch, accumulate)), Choice())
    assert analysis.training is not None, [d.message for d in analysis.diagnostics]
    prepared = prepare_training(analysis.training, RunRequest(DataRequest(ArraySource(data(samples)))))
    objective = Objective(prepared.training, prepared.means, seed=1)
    return Trainer(objective, prepared.recipe, prepared.data, prepared.validation, RunFolder(folder), lambda report: None)


@pytest.mark.share(4)
@pytest.mark.parametrize("line", CASES)
@pytest.mark.parametrize("accumulate", [1, 4, UNEVEN])
def test_parts_have_the_loss_and_the_gradient_of_the_large_batch(line: str, accumulate: int, tmp_path: Path) -> None:
    made = trainer(line, UNEVEN, UNEVEN, accumulate, tmp_path)
    parameters = list(made.model.parameters())
    loss = reference(line, made.model, {name: torch.from_numpy(a) for name, a in data(UNEVEN).items()})
    wanted = [
        torch.zeros_like(p) if g is None else g
        for p, g in zip(parameters, torch.autograd.grad(loss, parameters, allow_unused=True), strict=True)
    ]
    results = made.run_training()
    for parameter, gradient in zip(parameters, wanted, strict=True):
        found = torch.zeros_like(gradient) if parameter.grad is None else parameter.grad
        assert torch.linalg.vector_norm(found - gradient) <= 1e-5 * torch.linalg.vector_norm(gradient)
    assert results["loss"] == pytest.approx(loss.item(), rel=1e-5)


@pytest.mark.share(4)
@pytest.mark.parametrize("line", CASES)
@pytest.mark.parametrize("accumulate", [1, 4])
def test_the_written_file_has_the_same_gradient(line: str, accumulate: int, tmp_path: Path) -> None:
    """The loss is the one before the update, also where a term of it is a parameter."""
    made = module_of(text(line, UNEVEN, accumulate), tmp_path)
    model = next(v for v in vars(made).values() if isinstance(v, type) and issubclass(v, torch.nn.Module) and hasattr(v(), "hidden"))().to(
        made.DEVICE
    )
    batch = {name: torch.from_numpy(a).to(made.DEVICE) for name, a in data(UNEVEN).items()}
    parameters = list(model.parameters())
    loss = reference(line, model, batch)
    wanted = torch.autograd.grad(loss, parameters, allow_unused=True)
    found = made.compute_metrics(*made.train_step(model, torch.optim.SGD(parameters, lr=0.05), batch))
    assert found["loss"].item() == pytest.approx(loss.item(), rel=1e-5)
    for parameter, gradient in zip(parameters, wanted, strict=True):
        own = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
        torch.testing.assert_close(own, torch.zeros_like(parameter) if gradient is None else gradient, rtol=1e-4, atol=1e-6)


METRICS = """
loss = error
metric penalty = w -> square -> sum
metric scaled = exp(-s) * error
metric scale = s
metric of_mean = (guess -> mean axis=0 -> sum) * 0 + 3
"""


@pytest.mark.parametrize("accumulate", [1, 3])
def test_metrics_of_them_are_their_values(accumulate: int, tmp_path: Path) -> None:
    """Over several batches, the last of which is smaller, in reports and in validation. `w` and `s` are not trained here."""
    made = trainer(METRICS, 40, 9, accumulate, tmp_path, 'validate 0.3\nfreeze "w"\nfreeze "s"')
    wanted = {"penalty": made.model.get_parameter("w").square().sum().item(), "scale": 0.3, "of_mean": 3.0}
    results = made.run_training()
    entries = read_metrics(str(tmp_path))
    assert len(entries) > 3
    for found in (results, *(entry.get("validation", entry) for entry in entries)):
        assert {name: found[name] for name in wanted} == pytest.approx(wanted, rel=1e-5)
        assert found["scaled"] == pytest.approx(np.exp(-0.3) * found["loss"], rel=1e-5)


def test_numbers_of_a_batch_size_are_no_constants() -> None:
    """What depends on how many samples there are, though on none of them, is not the same for each part."""
    objective = netc.compile(text("t = table (i) [N] float32 = 1.0\nloss = error + (t -> sum)", 8, 1)).training(seed=0)
    assert not any(objective.means.is_constant)
    batch = {name: torch.from_numpy(a) for name, a in data(8).items()}
    with_numbers, _ = objective(batch)
    without, _ = netc.compile(text("loss = error", 8, 1)).training(seed=0)(batch)
    assert with_numbers.item() == pytest.approx(without.item() + 8)


def test_a_loss_may_be_the_second_result_of_a_block() -> None:
    """The loss is the second result of a block; the first one is no part of it."""
    block = "block two(g: [N, 1], t: [N, 1]) { m = g - t -> square -> mean; s = g -> abs -> mean; out m, s }\n"
    objective = netc.compile(block + text("(a, loss) = (guess, y) -> two\nmetric first = a", 8, 1)).training(seed=0)
    batch = {name: torch.from_numpy(a) for name, a in data(8).items()}
    loss, metrics = objective(batch)
    guess = objective.model(batch["x"])
    assert loss.item() == pytest.approx(guess.abs().mean().item(), rel=1e-6)
    assert metrics["first"].item() == pytest.approx((guess - batch["y"]).square().mean().item(), rel=1e-6)


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("accumulate", [1, 2])
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes(strategy: str, accumulate: int, tmp_path: Path) -> None:
    lines = "loss = exp(-s) * error + s + (w -> square -> sum)\nmetric penalty = w -> square -> sum\nvalidate 0.2"
    spec = text(lines, 9, accumulate)
    if strategy == "fsdp":
        spec = spec.replace("s = param [] init=0.3 as s", "scale = param [1] init=0.3 as s; s = scale -> sum")
    (tmp_path / "spec.net").write_text(spec)
    np.savez(tmp_path / "data.npz", **data(50))  # type: ignore[arg-type]
    train_ranks(tmp_path, 1, "spec.net", "--data", "data.npz", "-o", "one", "--epochs", "3")
    train_ranks(tmp_path, 2, "spec.net", "--data", "data.npz", "-o", "two", "--epochs", "3", "--strategy", strategy)
    assert_close(tmp_path / "one", tmp_path / "two", 1e-5)


@pytest.mark.long
def test_fsdp_refuses_a_parameter_without_an_axis(tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(text("loss = exp(-s) * error + s", 9, 2))
    np.savez(tmp_path / "data.npz", **data(50))  # type: ignore[arg-type]
    with pytest.raises(AssertionError, match=r"FSDP cannot shard the parameter `s`, which has no axis"):
        train_ranks(tmp_path, 2, "spec.net", "--data", "data.npz", "-o", "two", "--strategy", "fsdp")
