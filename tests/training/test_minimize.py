"""Several losses in turn (`minimize`) and parameters that follow others (`follow`), against plain loops of PyTorch."""

from __future__ import annotations

import copy
import re
from collections import OrderedDict
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import netc
from netc.errors import CompileError
from netc.training.stop_signals import Interrupted
from netc.training.training_failures import NotFiniteLoss
from tests.training.runs import resume, train
from tests.training.test_ranks import assert_close, begin
from tests.training.test_ranks import train as train_processes
from tests.training.test_resume import assert_same_run, stopping_at
from tests.training.test_source import module_of

GAN = """
real = input 2
noise = input 4
shared judge = (dense 16 relu -> dense 1)
fake = noise -> (dense 16 relu -> dense 2) as forger
real_score = real -> judge
fake_score = fake -> judge
out fake, real_score, fake_score

train {
  judging = softplus(-real_score) + softplus(fake_score) -> mean
  forging = softplus(-fake_score) -> mean
  metric size = fake -> square -> mean
  minimize judging "judge.*" steps=2 lr=3e-3
  minimize forging "forger.*"
  optimizer adam lr=1e-3 betas=[0.5, 0.999]
  draw noise normal
  batch 12 ACCUMULATE
  steps 50
}
"""
TARGET = """
block network { in -> dense 16 relu -> dense 4 }
first = input 8
second = input 8
online = first -> network as online
guess = online -> dense 4 as predictor
target = second -> network as target
out guess, target

train {
  loss = (guess, target) -> mse_loss
  FOLLOW
  optimizer sgd lr=0.1
  batch 12
  steps 50
}
"""


def draw_noise(made: object, real: Tensor, step: int) -> Tensor:
    """The noise of a step, which the file draws by the seed and the step."""
    drawn: dict[str, Tensor] = made.draw_inputs({"real": real}, step)  # type: ignore[attr-defined]
    return drawn["noise"]


def make_networks() -> dict[str, nn.Sequential]:
    """The two networks of the GAN, as PyTorch has them."""
    judge = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 1))
    return {"judge": judge, "forger": nn.Sequential(nn.Linear(4, 16), nn.ReLU(), nn.Linear(16, 2))}


@pytest.mark.parametrize("accumulate", ["", "accumulate=3"])
def test_losses_in_turn(accumulate: str, tmp_path: Path) -> None:
    """The loop of Goodfellow et al. (2014), Algorithm 1 with k = 2, with the generator's non-saturating loss."""
    text = GAN.replace("ACCUMULATE", accumulate)
    real = torch.randn(12, 2, generator=torch.Generator().manual_seed(0)) + 3  # one batch, so the order of samples is of no account
    np.savez(tmp_path / "data.npz", real=real.numpy())
    path = tmp_path / "gan.net"
    path.write_text(text, encoding="utf-8")
    start = netc.compile(text).module(seed=3).state_dict()
    torch.save(start, tmp_path / "start.pt")
    netc.train(path, data=str(tmp_path / "data.npz"), output=tmp_path / "run", weights=tmp_path / "start.pt")
    trained = load_file(tmp_path / "run" / "last.safetensors")

    networks = make_networks()
    judge, forger = networks["judge"], networks["forger"]
    for name, network in networks.items():
        network.load_state_dict({k.removeprefix(f"{name}."): v for k, v in start.items() if k.startswith(f"{name}.")})
    judging = torch.optim.Adam(judge.parameters(), lr=3e-3, betas=(0.5, 0.999))
    forging = torch.optim.Adam(forger.parameters(), lr=1e-3, betas=(0.5, 0.999))
    made = module_of(text, tmp_path)
    for step in range(50):
        noise = draw_noise(made, real, step)
        if step % 3 < 2:
            judging.zero_grad()
            loss = (F.softplus(-judge(real)) + F.softplus(judge(forger(noise).detach()))).mean()
            loss.backward()
            judging.step()
        else:
            forging.zero_grad()
            F.softplus(-judge(forger(noise))).mean().backward()
            forging.step()
    for name, network in networks.items():
        for key, value in network.state_dict().items():
            torch.testing.assert_close(trained[f"{name}.{key}"], value, rtol=1e-5, atol=1e-5)
            assert not torch.equal(value, start[f"{name}.{key}"])


@pytest.mark.parametrize(("follow", "decay", "every"), [("0.9", 0.9, 1), ("every=7", 0.0, 7), ("0.5 every=3", 0.5, 3), ("0", 0.0, 1)])
def test_parameters_that_follow_others(follow: str, decay: float, every: int, tmp_path: Path) -> None:
    """The target network of BYOL (Grill et al., 2020, equation 1) and of DQN (Mnih et al., 2015): no step of the optimizer changes it."""
    text = TARGET.replace("FOLLOW", f'follow "target.*" "online.*" {follow}')
    generator = torch.Generator().manual_seed(0)
    first, second = torch.randn(12, 8, generator=generator), torch.randn(12, 8, generator=generator)
    np.savez(tmp_path / "data.npz", first=first.numpy(), second=second.numpy())
    path = tmp_path / "target.net"
    path.write_text(text, encoding="utf-8")
    start = netc.compile(text).module(seed=3).state_dict()
    torch.save(start, tmp_path / "start.pt")
    netc.train(path, data=str(tmp_path / "data.npz"), output=tmp_path / "run", weights=tmp_path / "start.pt")
    trained = load_file(tmp_path / "run" / "last.safetensors")

    layers = ("dense1", "relu", "dense2")
    online, target = (
        nn.Sequential(OrderedDict(zip(layers, (nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4)), strict=True))) for _ in range(2)
    )
    online.load_state_dict({k.removeprefix("online."): v for k, v in start.items() if k.startswith("online.")})
    target.load_state_dict(online.state_dict())
    predictor = nn.Linear(4, 4)
    predictor.load_state_dict({k: start[f"predictor.{k}"] for k in ("weight", "bias")})
    optimizer = torch.optim.SGD([*online.parameters(), *predictor.parameters()], lr=0.1)
    for step in range(50):
        optimizer.zero_grad()
        with torch.no_grad():
            goal = target(second)
        F.mse_loss(predictor(online(first)), goal).backward()
        optimizer.step()
        if (step + 1) % every == 0:
            with torch.no_grad():
                for follower, followed in zip(target.parameters(), online.parameters(), strict=True):
                    follower.mul_(decay).add_((1 - decay) * followed)
    for name, network in (("online", online), ("target", target), ("predictor", predictor)):
        for key, value in network.state_dict().items():
            torch.testing.assert_close(trained[f"{name}.{key}"], value, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ("validate 0.2; stop patience=2", "`stop` follows the metric of `keep`, and with several losses, `keep` has none"),
        ("validate 0.2; keep last; stop patience=2", "`stop` follows the metric of `keep`"),
        ("schedule reduce_lr_on_plateau", "`reduce_lr_on_plateau` follows the metric of `keep`"),
        ("keep best", "`keep` needs the name of a loss or a metric"),
        ("keep min", "`keep` needs the name of a loss or a metric"),
    ],
)
def test_what_follows_a_metric_needs_its_name(settings: str, expected: str, tmp_path: Path) -> None:
    text = GAN.replace("batch 12 ACCUMULATE", settings)
    data = {"real": np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)}
    with pytest.raises(CompileError, match=expected):
        train(tmp_path / "run", text, data)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("settings", ["stop patience=1", "schedule reduce_lr_on_plateau"])
def test_metrics_that_are_named_are_followed(settings: str, tmp_path: Path) -> None:
    text = GAN.replace("batch 12 ACCUMULATE", f"validate 0.2; {settings}; keep best size min").replace("steps 50", "epochs 3")
    data = {"real": np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)}
    assert "size" in train(tmp_path / "run", text, data).summary()


TURNS = GAN.replace("ACCUMULATE", "").replace("batch 12", "batch 8").replace("relu -> dense 1)", "relu -> batch_norm -> dense 1)")


@pytest.mark.parametrize("step", [1, 2, 3])
def test_resumed_in_the_middle_of_a_turn(step: int, tmp_path: Path) -> None:
    """The optimizer has no state yet for parameters that no step has trained."""
    data = {"real": np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)}
    train(tmp_path / "whole", TURNS, data)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", TURNS, data, on_report=stopping_at(step))
    resume(tmp_path / "run", data)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.long
def test_losses_in_turn_on_two_processes(tmp_path: Path) -> None:
    """As on one, and resumed in the middle of a turn on one."""
    text = GAN.replace("ACCUMULATE", "accumulate=2").replace("batch 12", "batch 8") + "\n"
    (tmp_path / "spec.net").write_text(text, encoding="utf-8")
    np.savez(tmp_path / "data.npz", real=np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32))
    one = begin(tmp_path, 1, "one")
    assert_close(one, begin(tmp_path, 2, "two"))
    train_processes(tmp_path, 2, "spec.net", "--data", "data.npz", "-o", "run", "--checkpoint-every", "1", stopped_at=1)
    train_processes(tmp_path, 1, "--resume", "run")
    assert_close(one, tmp_path / "run")


def count_calls(model: nn.Module, names: list[str]) -> list[str]:
    """Return a list to which each call of these stages appends its name."""
    calls: list[str] = []
    for name in names:
        model.get_submodule(name).register_forward_hook(lambda *_, name=name: calls.append(name))
    return calls


def test_a_step_computes_only_what_its_loss_needs(tmp_path: Path) -> None:
    """As in a plain loop: a step of the generator scores no real samples."""
    made = module_of(GAN.replace("ACCUMULATE", ""), tmp_path)
    model = next(value for value in vars(made).values() if isinstance(value, type) and issubclass(value, nn.Module))()
    optimizer, trained = made.make_optimizer(model), made.select_trained(model)
    calls = count_calls(model, ["judge", "forger"])
    batch = {"real": torch.randn(12, 2), "noise": torch.randn(12, 4)}
    sums = []
    for step, expected in enumerate([["forger", "judge", "judge"]] * 2 + [["forger", "judge"]]):
        sums.append(made.train_step(model, optimizer, batch, step, trained))
        assert sorted(calls) == expected
        calls.clear()
    # A result that a step leaves out does not count.
    turn = list(zip(["judging", "judging", "forging"], sums, strict=True))
    assert made.summarize_steps(turn)["judging"] == made.summarize_steps(turn[:2])["judging"]
    assert sorted(made.summarize_steps(turn[2:])) == ["forging", "size"]


def test_a_report_has_only_the_losses_of_its_steps(tmp_path: Path) -> None:
    """Here each epoch is one step, with a report of its own."""
    reports: list[dict[str, float]] = []
    data = {"real": np.random.default_rng(0).normal(size=(12, 2)).astype(np.float32)}
    train(tmp_path / "run", GAN.replace("ACCUMULATE", ""), data, steps=6, on_report=lambda report: reports.append(report.results))
    assert [sorted(report) for report in reports] == [["forging", "judging", "size"]] * 2 + [["forging", "size"]] + (
        [["forging", "judging", "size"]] * 2 + [["forging", "size"]]
    )
    assert all(np.isfinite(value) for report in reports for value in report.values())


def test_a_loss_that_depends_on_none_of_its_parameters(tmp_path: Path) -> None:
    """The second loss, at whose line the message is."""
    text = TIED.replace('"value.*"', '"words.*"').replace("(value, goal)", "(value -> detach, goal)")
    text = text.replace("  minimize second", '  freeze "value.*"\n  minimize second')
    data = {"tokens": np.zeros((8, 5), np.int64), "label": np.zeros(8, np.int64), "goal": np.zeros(8, np.float32)}
    with pytest.raises(CompileError, match="`second` depends on no parameter that it trains") as raised:
        train(tmp_path / "run", text, data, steps=2, batch=8)
    assert raised.value.diagnostics[0].span.start == text.index("second =")


def test_a_sum_is_in_each_report(tmp_path: Path) -> None:
    reports: list[dict[str, float]] = []
    data = {"picture": np.random.default_rng(0).normal(size=(8, 2)).astype(np.float32)}
    train(tmp_path / "run", PENALTY, data, steps=2, batch=8, on_report=lambda report: reports.append(report.results))
    assert [sorted(report) for report in reports] == [["forging", "judging", "total"], ["forging", "total"]]


def test_a_metric_of_stages_that_no_loss_needs_is_of_all_steps(tmp_path: Path) -> None:
    text = """
x = input 4
a = x -> dense 1 as a
b = x -> dense 1 as b
other = x -> batch_norm as other
out a, b, other
train {
  first = a -> square -> mean
  second = b -> square -> mean
  metric spread = other -> square -> mean
  minimize first "a.*" "other.*"
  minimize second "b.*"
  optimizer sgd lr=0.1
  batch 8
  steps 5
}
"""
    data = {"x": np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)}
    reports: list[dict[str, float]] = []
    train(tmp_path / "run", text, data, on_report=lambda report: reports.append(report.results))
    assert [sorted(report) for report in reports] == [["first", "spread"], ["second", "spread"]] * 2 + [["first", "spread"]]
    assert int(load_file(tmp_path / "run" / "last.safetensors")["other.num_batches_tracked"]) == 5


PENALTY = """
real = input 2
noise = input 3
shared judge = (dense 8 tanh -> dense 1)
fake = noise -> (dense 8 relu -> dense 2) as forger
real_score = real -> judge
fake_score = fake -> judge
out fake
train {
  picture = input 2
  jitter = input 2
  level = input [] batch=false
  scale = table (i) [2] = i + 1.0
  real = picture + 0.1 * level * jitter
  slope = gradient(real_score, real) -> square -> sum axis=1 -> mean
  judging = (softplus(-real_score) + softplus(fake_score) -> mean) + 5 * slope
  forging = (softplus(-fake_score) -> mean) + 0.01 * (fake * scale -> square -> mean)
  metric total = fake -> square -> sum
  minimize judging "judge.*"
  minimize forging "forger.*"
  draw noise normal
  draw jitter normal
  vary level linear 10
  optimizer adam lr=1e-3
}
"""
TIED = """
tokens = input [5] int64
h = tokens -> embedding 7 4 as words -> mean axis=1
scores = h @ (words.weight -> transpose 0 1)
value = h -> dense 1 as value -> squeeze 1
out scores, value
train {
  label = input [] int64
  goal = input []
  first = (scores, label) -> cross_entropy
  second = (value, goal) -> mse_loss
  minimize first "words.*"
  minimize second "value.*"
}
"""
PENALTY_BATCH = {"picture": (8, 2), "jitter": (8, 2), "noise": (8, 3), "level": ()}


def test_the_function_of_a_loss_has_the_same_bits(tmp_path: Path) -> None:
    """With a gradient penalty of one loss alone, a computed input of the model, a constant and a sum."""
    made = module_of(PENALTY, tmp_path)
    model = next(value for value in vars(made).values() if isinstance(value, type) and issubclass(value, nn.Module))()
    generator = torch.Generator().manual_seed(0)
    batch = {name: torch.randn(shape, generator=generator) for name, shape in PENALTY_BATCH.items()}
    calls, trained, counts = count_calls(model, ["judge"]), made.select_trained(model), made.compute_counts(batch)
    for loss, times in {"judging": 2, "forging": 1}.items():
        made.require_gradients(trained, loss)
        whole = made.compute_metrics(made.compute_totals(model, batch), counts)[loss]
        calls.clear()
        part = made.compute_metrics(made.TOTALS[loss](model, batch), counts)[loss]
        assert len(calls) == times
        assert torch.equal(whole, part)
        for first, second in zip(torch.autograd.grad(whole, trained[loss]), torch.autograd.grad(part, trained[loss]), strict=True):
            assert torch.equal(first, second)


def test_a_model_with_parameters_of_other_stages_is_computed_as_a_whole(tmp_path: Path) -> None:
    assert not hasattr(module_of(TIED, tmp_path), "TOTALS")


@pytest.mark.parametrize(("metric", "is_divided"), [("a -> mean", True), ("first + second", False)])
def test_a_metric_of_several_losses_is_computed_in_each_step(metric: str, is_divided: bool, tmp_path: Path) -> None:
    """No step of one loss alone has both of its means."""
    text = f"""
x = input 4
a = x -> dense 1 as a
b = x -> dense 1 as b
out a, b
train {{
  first = a -> square -> mean
  second = b -> square -> mean
  metric other = {metric}
  minimize first "a.*"
  minimize second "b.*"
}}
"""
    assert hasattr(module_of(text, tmp_path), "COMPUTED") == is_divided


BUFFERS = """
block normed { w = param [5, 2] init=normal as weight; in -> dense 5 weight=(spectral_normalize(w)) }
real = input 2
noise = input 4
shared judge = JUDGE
fake = noise -> dense 2 as forger
real_score = real -> judge
fake_score = fake -> judge
out fake, real_score, fake_score
train {
  judging = (real_score -> square -> mean) - (fake_score -> mean)
  forging = fake_score -> mean
  minimize judging "judge.*"
  minimize forging "forger.*"
  optimizer sgd lr=0.1
  draw noise normal
  batch 8
}
"""


@pytest.mark.parametrize("judge", ["(batch_norm -> dense 1)", "batch_norm", "normed"])
def test_buffers_are_of_every_step(judge: str, tmp_path: Path) -> None:
    """As if each step computed the whole model: a step of the forger also scores the real samples."""
    made = module_of(BUFFERS.replace("JUDGE", judge), tmp_path)
    (cls,) = re.findall(r"model = (\w+)\(\)", Path(made.__file__).read_text(encoding="utf-8"))
    model = getattr(made, cls)()
    whole = copy.deepcopy(model)
    optimizer, trained = made.make_optimizer(model), made.select_trained(model)
    generator = torch.Generator().manual_seed(0)
    for step in range(4):
        batch = {"real": torch.randn(8, 2, generator=generator) + 3, "noise": torch.randn(8, 4, generator=generator)}
        whole.load_state_dict(dict(model.named_parameters()), strict=False)
        whole(batch["real"], batch["noise"])
        made.train_step(model, optimizer, batch, step, trained)
        for name, buffer in whole.named_buffers():
            assert torch.equal(buffer, model.get_buffer(name)), (step, name)
    assert list(whole.buffers())


def test_a_loss_that_is_not_finite_is_of_the_stages_that_it_needs(tmp_path: Path) -> None:
    """In the first step, which minimizes the first loss: the second one is NaN too, from the same data."""
    text = """
a = input 4
first = a -> dense 4 as first
second = (a -> dense 1 as second) - 100.0 -> log
out first, second
train {
  overflow = first * 1e38 -> square -> mean
  other = second -> square -> mean
  minimize overflow "first.*"
  minimize other "second.*"
  optimizer sgd lr=0.1
  batch 8
}
"""
    data = {"a": np.random.default_rng(0).normal(size=(8, 4)).astype(np.float32)}
    with pytest.raises(NotFiniteLoss) as raised:
        train(tmp_path / "run", text, data, steps=2)
    assert "log" not in str(raised.value)
    assert raised.value.diagnostics[0].span.start in range(text.index("overflow"), text.index("other ="))
