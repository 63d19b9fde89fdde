"""`optimizer=` in `group` and `minimize`: parameters with another optimizer than the section's, against PyTorch's classes by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import load_file
from torch import nn
from torch.nn import functional

import netc
from netc.errors import CompileError
from tests.training.runs import resume, train
from tests.training.test_minimize import GAN, draw_noise, make_networks
from tests.training.test_ranks import assert_close, begin
from tests.training.test_ranks import train as train_processes
from tests.training.test_resume import assert_same_run, stopping_at
from tests.training.test_source import module_of

SPEC = """
x = input 6
y = x -> dense 12 relu -> batch_norm -> dense 3
train {
  target = input [] int64
  loss = (y, target) -> cross_entropy
  OPTIMIZERS
  batch 16
  epochs 4
}
"""
MUON = """
  optimizer muon lr=0.02 weight_decay=0.1
  group "*.bias" optimizer=adamw lr=3e-3 betas=[0.8, 0.99]
  group "batch_norm1.weight" optimizer=AdamW lr=3e-3 betas=[0.8, 0.99]
  schedule warmup 4 -> cosine
  clip 0.5
"""
THREE = """
  optimizer sgd lr=0.1 momentum=0.9
  group "dense1.*" lr=0.05
  group "dense2.*" optimizer=rmsprop lr=1e-3 weight_decay=0.2
  group "*.bias" weight_decay=0
  group "batch_norm1.*" optimizer=adam
"""


def samples(count: int = 40) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, 6)).astype(np.float32)
    return {"x": x, "target": (x.sum(1) > 0).astype(np.int64) + (x[:, 0] > 1)}


def make_model() -> nn.Sequential:
    return nn.Sequential(nn.Linear(6, 12), nn.ReLU(), nn.BatchNorm1d(12), nn.Linear(12, 3))


NAMES = {"dense1": "0", "batch_norm1": "2", "dense2": "3"}


def make_muon(model: nn.Sequential) -> list[torch.optim.Optimizer]:
    matrices = [p for p in model.parameters() if p.ndim == 2]
    others = [p for p in model.parameters() if p.ndim != 2]
    return [torch.optim.Muon(matrices, lr=0.02, weight_decay=0.1), torch.optim.AdamW(others, lr=3e-3, betas=(0.8, 0.99))]


def make_three(model: nn.Sequential) -> list[torch.optim.Optimizer]:
    first, norm, last = model[0], model[2], model[3]
    return [
        torch.optim.SGD([{"params": [first.weight]}, {"params": [first.bias], "weight_decay": 0.0}], lr=0.05, momentum=0.9),
        torch.optim.RMSprop([{"params": [last.weight], "weight_decay": 0.2}, {"params": [last.bias], "weight_decay": 0.2}], lr=1e-3),
        torch.optim.Adam(norm.parameters()),
    ]


@pytest.mark.parametrize(("optimizers", "make", "clips"), [(MUON, make_muon, True), (THREE, make_three, False)])
def test_groups_with_other_optimizers(optimizers: str, make: Any, clips: bool, tmp_path: Path) -> None:
    """The first group that has an argument decides, also for the name of the optimizer. A schedule changes all rates."""
    text, data = SPEC.replace("OPTIMIZERS", optimizers), samples()
    start = netc.compile(text).module(seed=3).state_dict()
    torch.save(start, tmp_path / "start.pt")
    train(tmp_path / "run", text, data, weights=tmp_path / "start.pt")
    trained = load_file(tmp_path / "run" / "last.safetensors")

    made, model = module_of(text, tmp_path), make_model()
    model.load_state_dict({key.replace(*pair): v for key, v in start.items() for pair in NAMES.items() if key.startswith(pair[0])})
    updates = make(model)
    assert len(made.make_optimizer(made.Model() if hasattr(made, "Model") else netc.compile(text).module()).optimizers) == len(updates)
    schedules = []
    if clips:
        for update in updates:
            warmup = torch.optim.lr_scheduler.LinearLR(update, 1 / 4, total_iters=4)
            cosine = torch.optim.lr_scheduler.CosineAnnealingLR(update, T_max=8)
            schedules.append(torch.optim.lr_scheduler.SequentialLR(update, [warmup, cosine], [4]))
    for epoch in range(4):
        for indices in made.shuffle_samples(torch.arange(40), epoch).split(16):
            model.zero_grad()
            functional.cross_entropy(model(torch.from_numpy(data["x"])[indices]), torch.from_numpy(data["target"])[indices]).backward()
            if clips:
                nn.utils.clip_grad_norm_(model.parameters(), 0.5)
            for step in (*updates, *schedules):
                step.step()
    for ours, theirs in NAMES.items():
        for name in ("weight", "bias"):
            value = model.get_parameter(f"{theirs}.{name}").detach()
            torch.testing.assert_close(torch.from_numpy(trained[f"{ours}.{name}"]), value, rtol=1e-5, atol=1e-6)
            assert not torch.equal(value, start[f"{ours}.{name}"])


def test_losses_with_optimizers_of_their_own(tmp_path: Path) -> None:
    """The critic by RMSprop, as in the first WGAN (Arjovsky et al., 2017), and the generator by Adam, which the section only implies."""
    text = GAN.replace("ACCUMULATE", "").replace("lr=3e-3", "optimizer=rmsprop lr=3e-3")
    assert "optimizer=rmsprop" in text
    real = torch.randn(12, 2, generator=torch.Generator().manual_seed(0)) + 3
    start = netc.compile(text).module(seed=3).state_dict()
    torch.save(start, tmp_path / "start.pt")
    train(tmp_path / "run", text, {"real": real.numpy()}, weights=tmp_path / "start.pt")
    trained = load_file(tmp_path / "run" / "last.safetensors")
    networks, made = make_networks(), module_of(text, tmp_path)
    judge, forger = networks["judge"], networks["forger"]
    for name, network in networks.items():
        network.load_state_dict({k.removeprefix(f"{name}."): v for k, v in start.items() if k.startswith(f"{name}.")})
    judging = torch.optim.RMSprop(judge.parameters(), lr=3e-3)
    forging = torch.optim.Adam(forger.parameters(), lr=1e-3, betas=(0.5, 0.999))
    for step in range(50):
        noise, update = draw_noise(made, real, step), judging if step % 3 < 2 else forging
        update.zero_grad()
        if step % 3 < 2:
            (functional.softplus(-judge(real)) + functional.softplus(judge(forger(noise).detach()))).mean().backward()
        else:
            functional.softplus(-judge(forger(noise))).mean().backward()
        update.step()
    for name, network in networks.items():
        for key, value in network.state_dict().items():
            torch.testing.assert_close(torch.from_numpy(trained[f"{name}.{key}"]), value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("optimizers", [MUON, THREE])
def test_resumed(optimizers: str, tmp_path: Path) -> None:
    text = SPEC.replace("OPTIMIZERS", optimizers)
    train(tmp_path / "whole", text, samples())
    with pytest.raises(BaseException, match="step"):
        train(tmp_path / "run", text, samples(), on_report=stopping_at(5))
    resume(tmp_path / "run", samples())
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.long
@pytest.mark.parametrize("words", [(), ("--strategy", "fsdp")])
def test_two_processes(words: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(SPEC.replace("OPTIMIZERS", THREE).replace(" -> batch_norm", " -> layer_norm as batch_norm1"))
    np.savez(tmp_path / "data.npz", **samples())  # type: ignore[arg-type]
    one = begin(tmp_path, 1, "one")
    assert_close(one, begin(tmp_path, 2, "two", *words))
    train_processes(tmp_path, 2, "spec.net", "--data", "data.npz", "-o", "run", *words, "--checkpoint-every", "1", stopped_at=1)
    train_processes(tmp_path, 1, "--resume", "run")
    assert_close(one, tmp_path / "run")


@pytest.mark.parametrize(
    ("optimizers", "said"),
    [
        ('group "*.bias" optimizer=adam2', "there is no optimizer `adam2`"),
        ('group "*.bias" optimizer=3', "`optimizer` must be the name of an optimizer, found `3`"),
        ('group "*.bias" optimizer=lbfgs', "`lbfgs` evaluates the loss several times in a step"),
        ('group "*.bias" optimizer=sgd betas=[0.9, 0.99]', "`sgd` has no argument `betas`"),
        ('group "*.bias" optimizer=sgd lr=-1', "`lr` is refused by PyTorch: invalid learning rate"),
        ('group "*.bias" optimizer=sgd; group "dense1.*" betas=[0.8, 0.9]', "`sgd` has no argument `betas`"),
        ('group "*.bias" optimizer=muon', "`muon` is refused by PyTorch"),
        ("optimizer muon", '`group "*bias" optimizer=adamw lr=1e-3`'),
        ('group "*.bias" optimizer=sgd; group "wrong.*" optimizer=adam', "`wrong.*`"),
        ('optimizer adamw; group "*.bias" optimizer=sgd; schedule one_cycle max_lr=0.1', "is refused by PyTorch"),
    ],
)
def test_mistakes(optimizers: str, said: str) -> None:
    with pytest.raises(CompileError) as caught:
        netc.compile(SPEC.replace("OPTIMIZERS", optimizers)).training()
    assert said in str(caught.value)
