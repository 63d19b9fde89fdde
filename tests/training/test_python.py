"""The objective of a train section in Python: loss and metrics as PyTorch computes them, optimizer and schedule, errors that say why."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn import functional

import netc
from netc.compiler.errors.run_errors import RunError

SPEC = """
x = input 4
scores = x -> dense 3

train {
  target = input [] int64
  loss = (scores, target) -> cross_entropy ignore_index=2
  metric accuracy = (scores -> argmax axis=1) == target -> cast float32 -> mean
  optimizer sgd lr=0.5 momentum=0.9
  group "*.bias" lr=0.25
  schedule warmup 4 -> linear
  epochs 2
  batch 8
  clip 0.01
}
"""
PAGE = Path(__file__).parents[2] / "docs" / "training.md"
FENCE = re.compile(r"^```(\w+)([^\n]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@pytest.fixture
def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {"x": torch.randn(8, 4, generator=generator), "target": torch.arange(8) % 3}


def test_loss_and_metrics_are_those_of_pytorch(batch: dict[str, torch.Tensor]) -> None:
    objective = netc.compile(SPEC).training(seed=1)
    loss, metrics = objective(batch)
    scores = objective.model(batch["x"])
    torch.testing.assert_close(loss, functional.cross_entropy(scores, batch["target"], ignore_index=2))
    torch.testing.assert_close(metrics, {"accuracy": (scores.argmax(1) == batch["target"]).float().mean()})
    loss.backward()
    assert all(p.grad is not None for p in objective.model.parameters())


def test_totals_and_counts_of_parts_add_up(batch: dict[str, torch.Tensor]) -> None:
    objective = netc.compile(SPEC).training(seed=1)
    parts = [{name: t[:3] for name, t in batch.items()}, {name: t[3:] for name, t in batch.items()}]
    totals = [sum(several) for several in zip(*map(objective.totals, parts), strict=True)]
    counts = [sum(several) for several in zip(*map(objective.counts, parts), strict=True)]
    torch.testing.assert_close(objective.results(totals, counts)["loss"], objective(batch)[0])


def test_a_seed_gives_the_parameters_of_the_module() -> None:
    model = netc.compile(SPEC)
    trained = model.training(seed=5).model.state_dict()
    assert list(trained) == list(model.parameters)
    torch.testing.assert_close(trained, model.module(seed=5).state_dict())


def test_weights_of_a_file_and_of_a_mapping(tmp_path: Path) -> None:
    model = netc.compile(SPEC)
    weights = model.module(seed=9).state_dict()
    np.savez(tmp_path / "w.npz", **{name: tensor.numpy() for name, tensor in weights.items()})
    for given in (weights, tmp_path / "w.npz"):
        torch.testing.assert_close(model.training(weights=given).model.state_dict(), weights)


def test_optimizer_and_schedule(batch: dict[str, torch.Tensor]) -> None:
    objective = netc.compile(SPEC).training(seed=1)
    optimizer = objective.optimizer()
    assert isinstance(optimizer, torch.optim.SGD)
    assert sorted(group["initial_lr" if "initial_lr" in group else "lr"] for group in optimizer.param_groups) == [0.25, 0.5]
    schedule = objective.schedule(optimizer, 12)
    assert schedule is not None
    rates = []
    for _ in range(12):
        rates.append(max(group["lr"] for group in optimizer.param_groups))
        optimizer.step()
        schedule.step()
    assert rates[:5] == pytest.approx([0.125, 0.21875, 0.3125, 0.40625, 0.5])
    assert rates[-1] == pytest.approx(0.5 / 8)
    objective(batch)[0].backward()
    objective.clip()
    norm = torch.stack([p.grad.norm() for p in objective.model.parameters() if p.grad is not None]).norm()
    assert norm.item() == pytest.approx(0.01, rel=1e-4)


def test_what_is_wrong_is_said(batch: dict[str, torch.Tensor]) -> None:
    objective = netc.compile(SPEC).training()
    with pytest.raises(ValueError, match="the input `target` is missing: the objective takes x, target"):
        objective({"x": batch["x"]})
    with pytest.raises(TypeError, match="a mapping of names to tensors, not Tensor"):
        objective(batch["x"])
    with pytest.raises(TypeError, match="the input `target` must be a tensor, not list"):
        objective(batch | {"target": [1]})
    with pytest.raises(ValueError, match=r"the input `target` must be int64 \[N\], found \[8, 1\]"):
        objective(batch | {"target": batch["target"][:, None]})
    with pytest.raises(TypeError, match="`steps` must be an integer, not float"):
        objective.schedule(objective.optimizer(), 1.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="steps must be at least 1"):
        objective.schedule(objective.optimizer(), 0)


def test_sections() -> None:
    two = "\n".join(f"model {name} {{ y = input 3 -> dense {n} }}\ntrain {name} {{ loss = y -> mean }}" for name, n in (("a", 1), ("b", 2)))
    assert sum(p.numel() for p in netc.compile(two, model="a").training().model.parameters()) == 4
    assert sum(p.numel() for p in netc.compile(two, model="a").training("a").model.parameters()) == 4
    with pytest.raises(ValueError, match="no train section is for the model `a`"):
        netc.compile(two, model="a").training("b")
    with pytest.raises(netc.CompileError, match="no-train-section"):
        netc.compile(two, model="a").training("c")
    with pytest.raises(netc.CompileError, match="no-train-section"):
        netc.compile("input 3 -> dense 1").training()
    with pytest.raises(TypeError, match="`section` must be a str or None, not int"):
        netc.compile(two, model="a").training(1)  # type: ignore[arg-type]
    with pytest.raises(netc.CompileError, match="unknown"):
        netc.compile("y = input 3 -> dense 1\ntrain { loss = y -> mean; optimizer adam wd=1 }").training()


def data(folder: Path) -> None:
    """A small problem in the form of the digits: a bright row says the class."""
    generator = np.random.default_rng(0)
    target = generator.integers(0, 8, 960)
    image = generator.random((960, 1, 8, 8), np.float32) * 4
    image[np.arange(960), 0, target] += 24
    np.savez(folder / "digits.npz", image=image, target=target)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    data(tmp_path)
    for match in FENCE.finditer(PAGE.read_text(encoding="utf-8")):
        named = re.search(r"file=(\S+)", match[2])
        if named:
            (tmp_path / named[1]).write_text(match[3], encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


EXAMPLES = [m[3] for m in FENCE.finditer(PAGE.read_text(encoding="utf-8")) if m[1] == "python"]


def example(word: str) -> str:
    """The example of the page that imports this, or neither trainer."""
    others = {"lightning", "accelerate"} - {word}
    return next(e for e in EXAMPLES if (not word or f"{word}" in e) and not any(o in e for o in others))


@pytest.mark.parametrize("trainer", ["", "lightning", "accelerate"], ids=["own loop", "lightning", "accelerate"])
def test_the_examples_of_the_page_train(trainer: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if trainer:
        pytest.importorskip(trainer, reason=f"{trainer} is not installed: `pip install '.[dev]'`")
    text = example(trainer)
    assert len([line for line in text.splitlines() if line.strip()]) <= 25
    names: dict[str, object] = {}
    torch.manual_seed(0)  # the examples shuffle, and the last batch may be an unlucky one
    exec(compile(text, "docs/training.md", "exec"), names)
    if trainer == "lightning":
        results = {n: float(v) for n, v in names["trainer"].callback_metrics.items()}  # type: ignore[attr-defined]
    else:
        results = {"loss": names["loss"].item(), "accuracy": names["metrics"]["accuracy"].item()}  # type: ignore[attr-defined, index]
        model = netc.compile_file("digits.net")
        assert model.module(weights=folder / "digits.pth")
    assert results["loss"] < 1.0
    assert results["accuracy"] > 0.8


def test_train_is_the_command(folder: Path) -> None:
    reports: list[object] = []
    result = netc.train("digits.net", data="digits.npz", output=folder / "run", epochs=2, seed=3, report=reports.append)
    assert result.steps == 30
    assert result.results["loss"] < 2.3
    assert reports
    assert netc.compile_file("digits.net").module(weights=folder / "run" / "last.safetensors")
    with pytest.raises(ValueError, match="give `output` for a new run, or `resume`"):
        netc.train("digits.net", data="digits.npz")
    with pytest.raises(RunError, match="there is a run in"):
        netc.train("digits.net", data="digits.npz", output=folder / "run")
    with pytest.raises(netc.CompileError, match="cannot read"):
        netc.train("digits.net", data="none.npz", output=folder / "other")
