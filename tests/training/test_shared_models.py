"""Objectives that share the parameters of a model, and attributes of an objective that cannot be replaced."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc
from netc.training.objective import FIXED

GAN = """
model gan {
  real = input 2
  noise = input 2
  shared judge = (dense 8 relu -> dense 1)
  fake = noise -> (dense 8 bias=false -> batch_norm relu -> dense 2) as forger
  real_score = real -> judge
  fake_score = fake -> judge
  out fake, real_score, fake_score
}
train judge for gan {
  loss = softplus(-real_score) + softplus(fake_score) -> mean
  freeze "forger.*"
  optimizer sgd lr=0.1 momentum=0.9
  clip 0.05
}
train forger(rate=1e-3) for gan {
  loss = softplus(-fake_score) -> mean
  freeze "judge.*"
  optimizer adam lr=rate
  clip 0.05
}
"""
TIED = """
tokens = input [T] int64
hidden = tokens -> embedding 10 6 as words
scores = hidden -> dense 10 bias=false tie=words as head
out scores
train first { loss = scores -> square -> mean; optimizer adam lr=0.1 }
train second { loss = hidden -> square -> mean; optimizer adam lr=0.1 }
"""


def make_batches() -> list[dict[str, Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return [{"real": torch.randn(12, 2, generator=generator) + 3, "noise": torch.randn(12, 2, generator=generator)} for _ in range(20)]


def test_a_gan_in_a_loop_of_your_own() -> None:
    """Two sections in turn, against PyTorch: each section has its own optimizer, gradients and clipping."""
    model = netc.compile(GAN)
    judge = model.training("judge", seed=1)
    forger = model.training("forger", model=judge.model, params={"rate": 0.02})
    start = copy.deepcopy(judge.model.state_dict())
    optimizers = [(judge, judge.optimizer()), (forger, forger.optimizer())]
    for batch in make_batches():
        for objective, optimizer in optimizers:
            loss, _ = objective(batch)
            optimizer.zero_grad()
            loss.backward()
            objective.clip()
            optimizer.step()

    networks = nn.ModuleDict(
        {
            "judge": nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 1)),
            "forger": nn.Sequential(nn.Linear(2, 8, bias=False), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2)),
        }
    )
    networks.load_state_dict(start)
    sgd = torch.optim.SGD(networks["judge"].parameters(), lr=0.1, momentum=0.9)
    adam = torch.optim.Adam(networks["forger"].parameters(), lr=0.02)
    for batch in make_batches():
        for name, optimizer in (("judge", sgd), ("forger", adam)):
            fake = networks["forger"](batch["noise"])
            real_score, fake_score = networks["judge"](batch["real"]), networks["judge"](fake)
            loss = (F.softplus(-real_score) + F.softplus(fake_score)).mean() if name == "judge" else F.softplus(-fake_score).mean()
            networks.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(networks[name].parameters(), 0.05)
            optimizer.step()
    for key, value in networks.state_dict().items():
        torch.testing.assert_close(judge.model.state_dict()[key], value, rtol=1e-5, atol=1e-6)
        assert torch.equal(judge.model.state_dict()[key], forger.model.state_dict()[key])


def test_sections_that_use_other_tensors_of_the_model_share_it() -> None:
    """Here the modules compute other outputs. A tied parameter stays one parameter, whose gradients add up."""
    model = netc.compile(TIED)
    first = model.training("first", seed=1)
    second = model.training("second", model=first.model)
    assert len(second.optimizer().param_groups[0]["params"]) == 1
    tokens = {"tokens": torch.arange(6).reshape(2, 3)}
    expected = F.embedding(tokens["tokens"], first.model.state_dict()["words.weight"]).square().mean()
    torch.testing.assert_close(second(tokens)[0], expected)
    optimizer = second.optimizer()
    second(tokens)[0].backward()
    optimizer.step()
    assert torch.equal(first.model.state_dict()["head.weight"], second.model.state_dict()["words.weight"])


def test_a_step_between_the_passes_is_noticed() -> None:
    """As for one module: the backward pass would use parameters that the forward pass did not have."""
    model = netc.compile(GAN)
    judge = model.training("judge", seed=1)
    forger = model.training("forger", model=judge.model)
    optimizer = torch.optim.SGD(judge.model.parameters(), lr=0.1)  # the section's own is fused, which PyTorch does not notice either
    (batch, *_) = make_batches()
    losses = [judge(batch)[0], forger(batch)[0]]
    losses[0].backward()
    optimizer.step()
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        losses[1].backward()


def test_a_module_that_moved_is_no_longer_shared() -> None:
    model = netc.compile(GAN)
    judge = model.training("judge", seed=1)
    forger = model.training("forger", model=judge.model)
    judge.double()
    with pytest.raises(RuntimeError, match="the parameters are no longer shared"):
        forger(make_batches()[0])


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"model": nn.Linear(2, 1)}, ValueError, "it lacks `forger.0.weight`, `forger.1.weight`, `forger.1.bias` and 9 more"),
        ({"model": 3}, TypeError, "`model` must be a `torch.nn.Module` or None, not int"),
        ({"seed": 1}, ValueError, "leave out `weights` and `seed`"),
        ({"weights": "run"}, ValueError, "leave out `weights` and `seed`"),
        ({"params": {"pace": 1}}, netc.CompileError, "the model has no parameter `pace`"),
    ],
)
def test_refused(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    model = netc.compile(GAN)
    with pytest.raises(error) as caught:
        model.training("forger", **{"model": model.module(seed=0)} | arguments)
    assert message in str(caught.value)


def test_other_modules_are_refused() -> None:
    model = netc.compile(GAN)
    with pytest.raises(TypeError, match=r"pass `objective.model`"):
        model.training("forger", model=model.training("judge"))
    with pytest.raises(ValueError, match=r"is \[8, 2\] torch.float64, not \[8, 2\] torch.float32"):
        model.training("forger", model=model.module().double())
    larger = model.module()
    larger.add_module("more", nn.Linear(1, 1))
    with pytest.raises(ValueError, match=r"it has the unknown `more.weight`, `more.bias`"):
        model.training("forger", model=larger)


@pytest.mark.parametrize("name", FIXED)
def test_an_assignment_without_effect_is_an_error(name: str) -> None:
    objective = netc.compile(GAN).training("judge")
    for value in (nn.Linear(2, 1), None):
        with pytest.raises(AttributeError, match=f"`objective.{name}` cannot be replaced: "):
            setattr(objective, name, value)
        with pytest.raises(AttributeError, match=f"`objective.{name}` cannot be replaced: "):
            objective.register_module(name, nn.Linear(2, 1))
    with pytest.raises(AttributeError, match=f"`objective.{name}` cannot be removed"):
        delattr(objective, name)
    objective.note = "an attribute of your own"
    assert copy.deepcopy(objective).model.state_dict().keys() == objective.model.state_dict().keys()


@pytest.mark.parametrize("name", ["batch", "lr", "clip", "seed", "epochs", "optimizer"])
def test_a_setting_is_no_attribute(name: str) -> None:
    objective = netc.compile(GAN).training("judge")
    with pytest.raises(AttributeError, match=f"`{name}` is no attribute that an objective reads: change the settings in the section"):
        setattr(objective, name, 3)


def test_a_model_without_numbers() -> None:
    model = netc.compile(GAN)
    with pytest.raises(ValueError, match=r"`model` has no numbers yet: `\S+` is on the device `meta`"):
        model.training("forger", model=model.module().to("meta"))


def test_norms_of_a_loaded_weight(tmp_path: Path) -> None:
    """PyTorch's weight normalization of a trained layer has the same function, so the magnitudes are the norms of the loaded weight."""
    text = 'use "std/parametrizations.net": weight_norm\ninput 4 -> weight_norm (dense 3) as layer'
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(4, 3))
    magnitudes, direction = "layer.parametrizations.weight.original0", "layer.parametrizations.weight.original1"
    weight = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)
    layer.weight = torch.from_numpy(weight)
    checkpoint = netc.Checkpoint({direction: weight, "layer.bias": np.zeros(3, np.float32)}, allow_missing=[magnitudes])
    with pytest.warns(UserWarning, match="initialized"):
        module = netc.compile(text).module(weights=checkpoint)
    torch.testing.assert_close(module.state_dict()[magnitudes], layer.parametrizations.weight.original0.detach())
