"""A train section uses the `shared` stages of its model on other tensors: losses, gradients and trained weights of plain PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc
from tests.training.runs import train
from tests.training.test_ranks import assert_close, begin

MODEL = """
model classifier(width=8) {
  image = input 4
  shared encoder = (dense width tanh -> dense width tanh)
  shared head = dense 3
  features = image -> encoder
  scores = features -> head
  out scores
}
train classifier(size=0.1) {
  label = input [] int64
  other = input 4
  error = (scores, label) -> cross_entropy
"""
Batch = dict[str, Tensor]


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 8), nn.Tanh())
        self.head = nn.Linear(8, 3)

    def forward(self, image: Tensor) -> Tensor:
        scores: Tensor = self.head(self.encoder(image))
        return scores


def fit_labels(net: Network, batch: Batch) -> Tensor:
    return F.cross_entropy(net(batch["image"]), batch["label"])


def agree_with_other(net: Network, batch: Batch) -> Tensor:
    return fit_labels(net, batch) + F.mse_loss(net(batch["other"]).softmax(1), net(batch["image"]).softmax(1).detach())


def mix_features(net: Network, batch: Batch) -> Tensor:
    mixed = (net.encoder(batch["image"]) + net.encoder(batch["other"])) / 2
    return fit_labels(net, batch) + F.cross_entropy(net.head(mixed), batch["label"])


def fit_adversarial(net: Network, batch: Batch) -> Tensor:
    image = batch["image"].clone().requires_grad_()
    (slope,) = torch.autograd.grad(F.cross_entropy(net(image), batch["label"], reduction="sum"), image)
    return fit_labels(net, batch) + F.cross_entropy(net(batch["image"] + 0.1 * slope.sign()), batch["label"])


def penalize_slopes(net: Network, batch: Batch) -> Tensor:
    middle = ((batch["image"] + batch["other"]) / 2).requires_grad_()
    (slope,) = torch.autograd.grad(net(middle).square().sum(), middle, create_graph=True)
    return fit_labels(net, batch) + 0.1 * (slope.norm(dim=1) - 1).square().mean()


def pass_slope_on(net: Network, batch: Batch) -> Tensor:
    other = batch["other"].clone().requires_grad_()
    (slope,) = torch.autograd.grad((net.encoder(2 * other) ** 3).sum(), other, create_graph=True)
    return fit_labels(net, batch) + net.encoder(slope).square().mean()


def compare_in_one_batch(net: Network, batch: Batch) -> Tensor:
    first, second = net.encoder(torch.cat([batch["image"], batch["other"]])).chunk(2)
    return fit_labels(net, batch) + (first - second).square().mean()


def repeat_head(net: Network, batch: Batch) -> Tensor:
    x = batch["image"]
    for _ in range(3):
        x = net.encoder(0.1 * x)[:, :4] + x
    return fit_labels(net, batch) + net(x).square().mean()


class Case(NamedTuple):
    text: str
    plain: Callable[[Network, Batch], Tensor]


CASES = {
    "whole network on other data": Case(
        "guess = other -> encoder -> head -> softmax axis=1; loss = error + ((guess, scores -> softmax axis=1 -> detach) -> mse_loss)",
        agree_with_other,
    ),
    "head on mixed features": Case(
        "mixed = (features + (other -> encoder)) / 2; loss = error + ((mixed -> head, label) -> cross_entropy)", mix_features
    ),
    "adversarial images": Case(
        "slope = gradient((scores, label) -> cross_entropy reduction=none, image); attacked = image + size * sign(slope -> detach)\n"
        "  loss = error + ((attacked -> encoder -> head, label) -> cross_entropy)",
        fit_adversarial,
    ),
    "gradient penalty": Case(
        "middle = (image + other) / 2; slope = gradient(middle -> encoder -> head -> square, middle)\n"
        "  loss = error + size * ((slope -> norm axis=1) - 1 -> square -> mean)",
        penalize_slopes,
    ),
    "gradient of a stage through a stage": Case(
        "slope = gradient((2 * other -> encoder) ** 3, other); loss = error + (slope -> encoder -> square -> mean)", pass_slope_on
    ),
    "two batches as one": Case(
        "(first, second) = (image, other) -> concat axis=0 -> encoder -> chunk 2 axis=0; loss = error + (first - second -> square -> mean)",
        compare_in_one_batch,
    ),
    "in a loop": Case(
        "deep = image -> repeat 3 { (size * in -> encoder -> slice axis=1 stop=4) + in }\n"
        "  loss = error + (deep -> encoder -> head -> square -> mean)",
        repeat_head,
    ),
}


def make_data(count: int = 24) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(5)
    drawn = {name: generator.normal(size=(count, 4)).astype(np.float32) for name in ("image", "other")}
    return drawn | {"label": generator.integers(0, 3, count)}


def write_text(case: Case, settings: str = "") -> str:
    return f"{MODEL}  {case.text}\n  optimizer adam lr=1e-2\n  {settings}\n}}\n"


@pytest.mark.parametrize("name", CASES)
def test_losses_and_gradients(name: str) -> None:
    objective = netc.compile(write_text(CASES[name])).training(seed=1)
    batch = {key: torch.from_numpy(array) for key, array in make_data().items()}
    plain = Network()
    plain.load_state_dict(objective.model.state_dict())
    loss, _ = objective(batch)
    wanted = CASES[name].plain(plain, batch)
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=1e-6)
    loss.backward()
    wanted.backward()
    for (key, parameter), other in zip(plain.named_parameters(), objective.model.parameters(), strict=True):
        torch.testing.assert_close(other.grad, parameter.grad, rtol=1e-5, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}")


def test_gradient_by_an_input_that_the_section_computes() -> None:
    """The model's uses of its stages get the model's own input, so they differentiate by it."""
    lines = "clean = input 4; image = size * clean; slope = gradient(scores -> square, image)"
    loss = "loss = error + (slope -> encoder -> square -> mean) + (image -> encoder -> mean)"
    objective = netc.compile(f"{MODEL}  {lines}; {loss}; optimizer sgd }}").training(seed=1)
    assert "def forward(self, image: Tensor) ->" in objective.source()
    batch = {key: torch.from_numpy(array) for key, array in make_data().items()}
    plain = Network()
    plain.load_state_dict(objective.model.state_dict())
    image = (0.1 * batch["image"]).requires_grad_()
    (slope,) = torch.autograd.grad(plain(image).square().sum(), image, create_graph=True)
    wanted = fit_labels(plain, batch | {"image": image}) + plain.encoder(slope).square().mean() + plain.encoder(image).mean()
    loss, _ = objective(batch | {"clean": batch["image"]})
    torch.testing.assert_close(loss, wanted, rtol=1e-6, atol=1e-6)
    expected = torch.autograd.grad(wanted, list(plain.parameters()))
    for found, other in zip(torch.autograd.grad(loss, list(objective.model.parameters())), expected, strict=True):
        torch.testing.assert_close(found, other, rtol=1e-5, atol=1e-6)


PAIR = """
model pair {
  image = input 4
  second = input 4
  shared encoder = dense 4 tanh
  scores = image * second -> encoder
}
train pair {
"""


@pytest.mark.parametrize("lines", ["second = image", "clean = input 4; image = 0.3 * clean; second = image"])
def test_one_tensor_is_two_inputs(lines: str) -> None:
    """A gradient by one of the inputs would not be the gradient by the tensor."""
    text = f"{PAIR}{lines}; slope = gradient(scores, image); loss = (scores -> mean) + (slope -> square -> mean); optimizer sgd }}"
    objective = netc.compile(text).training(seed=1)
    made = torch.from_numpy(make_data()["image"])
    image = (0.3 * made if "clean" in lines else made).requires_grad_()
    scores = (image.square() @ objective.model.encoder.weight.T + objective.model.encoder.bias).tanh()
    (slope,) = torch.autograd.grad(scores.sum(), image)
    loss, _ = objective({"clean" if "clean" in lines else "image": made})
    torch.testing.assert_close(loss, scores.mean() + slope.square().mean())
    with pytest.raises(netc.CompileError, match="does not depend on the second, unless through an input that the section computes"):
        netc.compile(text.replace("(slope ->", "(slope -> encoder ->")).training()


def make_batches(objective: netc.training.objective.Objective, steps: int, size: int) -> list[Batch]:
    """The batches of the steps, in the order of the printed file."""
    section: dict[str, object] = {"__name__": "section"}
    exec(compile(objective.source(), "section", "exec"), section)
    data = {key: torch.from_numpy(array) for key, array in make_data().items()}
    orders: list[Tensor] = []
    while len(orders) < steps:
        orders += section["shuffle_samples"](torch.arange(24), len(orders) * size // 24).split(size)  # type: ignore[operator]
    return [{key: column[order] for key, column in data.items()} for order in orders[:steps]]


WHOLE = "two batches as one"
"""The case whose samples meet, so that its batches are not divided."""


@pytest.mark.parametrize(
    ("name", "settings"), [(n, f"batch 8{parts}") for n in CASES for parts in ("", " accumulate=3") if n != WHOLE or not parts]
)
@pytest.mark.sample(4)
def test_trained_weights(name: str, settings: str, tmp_path: Path) -> None:
    objective = netc.compile(write_text(CASES[name], settings)).training(seed=0)
    plain = Network()
    plain.load_state_dict(objective.model.state_dict())
    train(tmp_path / "run", write_text(CASES[name], settings), make_data(), steps=30)
    optimizer = torch.optim.Adam(plain.parameters(), lr=1e-2)
    for batch in make_batches(objective, 30, 8):
        optimizer.zero_grad()
        CASES[name].plain(plain, batch).backward()
        optimizer.step()
    trained = load_file(tmp_path / "run" / "last.safetensors")
    assert trained.keys() == plain.state_dict().keys()
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(trained[key], value, rtol=1e-5, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}")


TURNS = """
model gan(width=8) {
  noise = input 2
  fake = noise -> (dense width tanh -> dense 2) as forger
  real = input 2
  shared judge = (dense width tanh -> dense 1)
  real_score = real -> judge
  out fake, real_score
}
train gan {
  mix = input 1
  between = mix * real + (1 - mix) * fake
  slope = gradient(between -> judge, between) -> norm axis=1
  forging = -(fake -> judge -> mean)
  judging = (fake -> judge -> mean) - (real_score -> mean) + 0.1 * (slope - 1 -> square -> mean)
  minimize judging "judge.*" steps=2
  minimize forging "forger.*"
  optimizer adam lr=1e-2
  batch 8 accumulate=2
}
"""


def make_points() -> dict[str, np.ndarray]:
    generator = np.random.default_rng(6)
    shapes = {"noise": (24, 2), "real": (24, 2), "mix": (24, 1)}
    return {name: generator.random(shape).astype(np.float32) for name, shape in shapes.items()}


def test_losses_in_turn(tmp_path: Path) -> None:
    """Algorithm 1 of Gulrajani et al. (2017), with two steps of the critic."""
    objective = netc.compile(TURNS).training(seed=0)
    forger, judge = (nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, after)) for after in (2, 1))
    plain = nn.ModuleDict({"forger": forger, "judge": judge})
    plain.load_state_dict(objective.model.state_dict())
    data = {key: torch.from_numpy(array) for key, array in make_points().items()}
    section: dict[str, Callable[..., Tensor]] = {}
    exec(compile(objective.source(), "section", "exec"), section)
    optimizers = {module: torch.optim.Adam(module.parameters(), lr=1e-2) for module in (judge, forger)}
    for step in range(12):
        indices = section["shuffle_samples"](torch.arange(24), step // 3).split(8)[step % 3]
        noise, real, mix = (data[name][indices] for name in ("noise", "real", "mix"))
        if step % 3 == 2:
            loss, module = -judge(forger(noise)).mean(), forger
        else:
            fake = forger(noise).detach()
            between = (mix * real + (1 - mix) * fake).requires_grad_()
            (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
            loss, module = judge(fake).mean() - judge(real).mean() + 0.1 * (slope.norm(dim=1) - 1).square().mean(), judge
        optimizers[module].zero_grad()
        loss.backward()
        optimizers[module].step()
    train(tmp_path / "run", TURNS, make_points(), steps=12)
    trained = load_file(tmp_path / "run" / "last.safetensors")
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(trained[key], value, rtol=1e-5, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}")


FOLLOWING = """
model pair {
  x = input 4
  shared online = (dense 6 tanh -> dense 4)
  shared target = (dense 6 tanh -> dense 4)
  out x -> online, x -> target
}
train pair(share=0.5) {
  view = input 4
  loss = ((view -> online, share * view -> target) -> mse_loss) + (online.0.weight -> square -> sum)
  follow "target.*" "online.*" 0.9
  optimizer sgd lr=0.1
  batch 8 accumulate=3
}
"""


def test_following_stages(tmp_path: Path) -> None:
    """A target network on another view. Its weights are 0.9 of themselves and 0.1 of the online network's."""
    objective = netc.compile(FOLLOWING).training(seed=0)
    online, target = (nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 4)) for _ in range(2))
    online.load_state_dict({k.removeprefix("online."): v for k, v in objective.model.state_dict().items() if k.startswith("online.")})
    target.load_state_dict(online.state_dict())
    data = {"x": make_data()["image"], "view": make_data()["other"]}
    train(tmp_path / "run", FOLLOWING, data, steps=6)
    section: dict[str, Callable[..., Tensor]] = {}
    exec(compile(objective.source(), "section", "exec"), section)
    optimizer = torch.optim.SGD(online.parameters(), lr=0.1)
    for step in range(6):
        view = torch.from_numpy(data["view"])[section["shuffle_samples"](torch.arange(24), step // 3).split(8)[step % 3]]
        optimizer.zero_grad()
        (F.mse_loss(online(view), target(0.5 * view).detach()) + online[0].weight.square().sum()).backward()
        optimizer.step()
        with torch.no_grad():
            for follower, followed in zip(target.parameters(), online.parameters(), strict=True):
                follower.mul_(0.9).add_(followed, alpha=0.1)
    trained = load_file(tmp_path / "run" / "last.safetensors")
    for key, value in nn.ModuleDict({"online": online, "target": target}).state_dict().items():
        torch.testing.assert_close(trained[key], value, rtol=1e-5, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
@pytest.mark.parametrize("name", ["whole network on other data", "head on mixed features", "in a loop", "adversarial images"])
def test_two_processes(name: str, strategy: str, tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(write_text(CASES[name], "steps 9; batch 8"))
    np.savez(tmp_path / "data.npz", **make_data())  # type: ignore[arg-type]
    assert_close(begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--strategy", strategy), weights=1e-5)


@pytest.mark.long
@pytest.mark.parametrize("text", [write_text(CASES["gradient penalty"], "batch 8"), TURNS])
def test_gradients_of_two_processes(text: str, tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(text.replace("batch 8", "steps 9\n  batch 8"))
    np.savez(tmp_path / "data.npz", **make_data(), **make_points())  # type: ignore[arg-type]
    assert_close(begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two"), weights=1e-5)
