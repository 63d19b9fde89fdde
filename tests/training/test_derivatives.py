"""Losses with `gradient` against plain loops of PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

import netc
from netc.compiler.errors.run_errors import RunError
from netc.training.stop_signals import Interrupted
from tests.training.runs import resume, train
from tests.training.test_ranks import assert_close, begin, start
from tests.training.test_resume import assert_same_run, stopping_at
from tests.training.test_source import module_of

HEAT = """
place = input 1
time = input 1
u = (place, time) -> concat axis=1 -> dense 16 tanh -> dense 1

train {
  known = input 1
  slope = gradient(u, place)
  residual = gradient(u, time) - 0.3 * gradient(slope, place)
  loss = (residual -> square -> mean) + ((u, known) -> mse_loss)
  metric steepness = slope -> square -> mean
  optimizer adam lr=1e-2
  batch 12 ACCUMULATE
  steps 50
  VALIDATE
}
"""
PENALTY = """
real = input 2
noise = input 4
mix = input 1
shared judge = (dense 16 tanh -> dense 1)
fake = noise -> (dense 16 tanh -> dense 2) as forger
between = real + mix * (fake - real)
real_score = real -> judge
fake_score = fake -> judge
between_score = between -> judge
out fake, real_score, fake_score, between_score

train {
  slope = gradient(between_score, between) -> norm axis=1
  judging = (fake_score -> mean) - (real_score -> mean) + 10 * (slope - 1 -> square -> mean)
  forging = -(fake_score -> mean)
  minimize judging "judge.*" steps=3
  minimize forging "forger.*"
  optimizer adam lr=1e-3 betas=[0.0, 0.9]
  draw noise normal
  draw mix uniform
  batch 12
  steps 50
}
"""
FORCES = """
positions = input 6
energy = positions -> dense 16 tanh -> dense 1
forces = -gradient(energy, positions)
out energy, forces

train {
  known_energy = input 1
  known_forces = input 6
  loss = ((energy, known_energy) -> mse_loss) + ((forces, known_forces) -> mse_loss)
  optimizer sgd lr=0.05
  batch 12
  steps 50
}
"""


def make_columns(**widths: int) -> dict[str, np.ndarray]:
    generator = np.random.default_rng(0)
    return {name: generator.normal(size=(12, width)).astype(np.float32) for name, width in widths.items()}


HEAT_DATA = make_columns(place=1, time=1, known=1)


def make_start(text: str, folder: Path) -> dict[str, Tensor]:
    """Write the initial parameters to a file."""
    start = netc.compile(text).module(seed=3).state_dict()
    torch.save(start, folder / "start.pt")
    return start


def make_mlp(start: dict[str, Tensor], *keys: str, sizes: tuple[int, int, int]) -> nn.Sequential:
    mlp = nn.Sequential(nn.Linear(*sizes[:2]), nn.Tanh(), nn.Linear(*sizes[1:]))
    mlp.load_state_dict({f"{2 * i}.{name}": start[f"{key}.{name}"] for i, key in enumerate(keys) for name in ("weight", "bias")})
    return mlp


def assert_trained(folder: Path, networks: dict[tuple[str, str], nn.Sequential]) -> None:
    trained = load_file(folder / "run" / "last.safetensors")
    for keys, network in networks.items():
        for i, key in enumerate(keys):
            for name in ("weight", "bias"):
                torch.testing.assert_close(trained[f"{key}.{name}"], getattr(network[2 * i], name).detach(), rtol=1e-5, atol=1e-5)


@pytest.mark.sample(1)
@pytest.mark.parametrize("accumulate", ["accumulate=3", ""])
def test_a_physics_informed_network(accumulate: str, tmp_path: Path) -> None:
    """The heat equation u_t = 0.3 u_xx (Raissi, Perdikaris and Karniadakis, 2019), of first and second order."""
    text = HEAT.replace("ACCUMULATE", accumulate).replace("VALIDATE", "")
    start = make_start(text, tmp_path)
    train(tmp_path / "run", text, HEAT_DATA, weights=tmp_path / "start.pt")
    network = make_mlp(start, "dense1", "dense2", sizes=(2, 16, 1))
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-2)
    place, time, known = (torch.from_numpy(column) for column in HEAT_DATA.values())
    place.requires_grad_()
    time.requires_grad_()
    for _ in range(50):
        optimizer.zero_grad()
        u = network(torch.cat((place, time), dim=1))
        slope, u_t = torch.autograd.grad(u.sum(), (place, time), create_graph=True)
        (u_xx,) = torch.autograd.grad(slope.sum(), place, create_graph=True)
        ((u_t - 0.3 * u_xx).square().mean() + (u - known).square().mean()).backward()
        optimizer.step()
    assert_trained(tmp_path, {("dense1", "dense2"): network})


def test_a_gradient_penalty(tmp_path: Path) -> None:
    """WGAN-GP (Gulrajani et al., 2017, Algorithm 1), by a tensor within the model."""
    start = make_start(PENALTY, tmp_path)
    data = make_columns(real=2)
    train(tmp_path / "run", PENALTY, data, weights=tmp_path / "start.pt")
    judge = make_mlp(start, "judge.0", "judge.2", sizes=(2, 16, 1))
    forger = make_mlp(start, "forger.0", "forger.2", sizes=(4, 16, 2))
    judging, forging = (torch.optim.Adam(network.parameters(), lr=1e-3, betas=(0.0, 0.9)) for network in (judge, forger))
    made, samples = module_of(PENALTY, tmp_path), torch.from_numpy(data["real"])
    for step in range(50):
        real = samples[made.shuffle_samples(torch.arange(12), step)]  # each step is an epoch
        drawn = made.draw_inputs({"real": real}, step)
        fake = forger(drawn["noise"])
        if step % 4 < 3:
            judging.zero_grad()
            between = (real + drawn["mix"] * (fake - real)).detach().requires_grad_()
            (slope,) = torch.autograd.grad(judge(between).sum(), between, create_graph=True)
            penalty = (slope.norm(dim=1) - 1).square().mean()
            (judge(fake.detach()).mean() - judge(real).mean() + 10 * penalty).backward()
            judging.step()
        else:
            forging.zero_grad()
            (-judge(fake).mean()).backward()
            forging.step()
    assert_trained(tmp_path, {("judge.0", "judge.2"): judge, ("forger.0", "forger.2"): forger})


def test_energies_and_forces(tmp_path: Path) -> None:
    """A model whose own output is a gradient, and its ONNX file after training."""
    start = make_start(FORCES, tmp_path)
    data = make_columns(positions=6, known_energy=1, known_forces=6)
    train(tmp_path / "run", FORCES, data, weights=tmp_path / "start.pt")
    network = make_mlp(start, "dense1", "dense2", sizes=(6, 16, 1))
    optimizer = torch.optim.SGD(network.parameters(), lr=0.05)
    positions, known_energy, known_forces = (torch.from_numpy(column) for column in data.values())
    positions.requires_grad_()
    for _ in range(50):
        optimizer.zero_grad()
        energy = network(positions)
        (slope,) = torch.autograd.grad(energy.sum(), positions, create_graph=True)
        ((energy - known_energy).square().mean() + (-slope - known_forces).square().mean()).backward()
        optimizer.step()
    assert_trained(tmp_path, {("dense1", "dense2"): network})
    found = netc.compile(FORCES).session(weights=tmp_path / "run" / "last.safetensors")(data["positions"])
    energy = network(positions)
    (slope,) = torch.autograd.grad(energy.sum(), positions)
    torch.testing.assert_close(torch.from_numpy(found["energy"]), energy.detach(), rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(torch.from_numpy(found["forces"]), -slope, rtol=1e-4, atol=1e-5)


@pytest.mark.long
def test_resumed_with_a_validation(tmp_path: Path) -> None:
    text = HEAT.replace("ACCUMULATE", "accumulate=2").replace("VALIDATE", "validate 0.3")
    train(tmp_path / "whole", text, HEAT_DATA)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", text, HEAT_DATA, on_report=stopping_at(7))
    resume(tmp_path / "run", HEAT_DATA)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.long
@pytest.mark.parametrize("text", [HEAT.replace("ACCUMULATE", "").replace("VALIDATE", ""), FORCES])
def test_two_processes(text: str, tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(text, encoding="utf-8")
    strategy = "ddp" if text != FORCES else "fsdp"
    data = HEAT_DATA if text != FORCES else make_columns(positions=6, known_energy=1, known_forces=6)
    np.savez(tmp_path / "data.npz", **data)  # type: ignore[arg-type]
    assert_close(begin(tmp_path, 1, "one"), begin(tmp_path, 2, "two", "--strategy", strategy))


@pytest.mark.long
@pytest.mark.parametrize(("text", "option"), [("heat", "--strategy fsdp"), ("heat", "--tp 2"), ("forces", "--tp 2")])
def test_a_loss_with_derivatives_needs_whole_parameters(text: str, option: str, tmp_path: Path) -> None:
    section = FORCES if text == "forces" else HEAT.replace("ACCUMULATE", "").replace("VALIDATE", "")
    (tmp_path / "spec.net").write_text(section, encoding="utf-8")
    data = HEAT_DATA if text != "forces" else make_columns(positions=6, known_energy=1, known_forces=6)
    np.savez(tmp_path / "data.npz", **data)  # type: ignore[arg-type]
    processes = start(tmp_path, 2, "spec.net", "--data", "data.npz", "-o", "run", *option.split())
    said = [process.communicate(timeout=600)[0].decode() for process in processes]
    assert [process.returncode for process in processes] == [1, 1]
    assert f"with `{option.removesuffix(' 2')}`, each process has parts of them" in said[0]


def test_a_compiled_loss_has_no_derivative(tmp_path: Path) -> None:
    text = HEAT.replace("ACCUMULATE", "").replace("VALIDATE", "")
    with pytest.raises(RunError, match=r"torch\.compile supports no derivative of a derivative"):
        train(tmp_path / "run", text, HEAT_DATA, compile=True)


def test_a_model_with_a_gradient_of_its_input_is_validated(tmp_path: Path) -> None:
    """By the run and by the printed file, whose class also works within `no_grad`."""
    text = FORCES.replace("steps 50", "steps 4\n  validate 0.3")
    data = make_columns(positions=6, known_energy=1, known_forces=6)
    result = train(tmp_path / "run", text, data)
    made = module_of(text, tmp_path)
    (cls,) = (value for value in vars(made).values() if isinstance(value, type) and issubclass(value, nn.Module))
    module = cls()
    module.load_state_dict(load_file(tmp_path / "run" / "last.safetensors"))
    positions = torch.from_numpy(data["positions"])
    with torch.no_grad():
        _, forces = module(positions)
    assert not forces.requires_grad
    torch.testing.assert_close(forces, module(positions)[1].detach())
    assert set(result.results) == {"loss"}


def test_a_metric_that_does_not_use_a_gradient_is_a_mean() -> None:
    """The sum over the samples, of which the model takes a gradient, is not on the way to the metric."""
    text = """
    x = input 12
    label = input [] int64
    shared net = dense 3
    scores = x -> net
    moved = x + 0.1 * sign(gradient(((scores, label) -> cross_entropy reduction=sum), x)) -> detach
    moved_scores = moved -> net
    out scores
    train {
      loss = (moved_scores, label) -> cross_entropy
      metric clean = scores -> square -> mean
    }
    """
    assert netc.compile(text).training().means.averaged == {}
