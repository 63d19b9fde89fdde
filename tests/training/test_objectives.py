"""The objectives of specs/training equal plain PyTorch loops that are written from their papers: losses, gradients, and trained weights."""

from __future__ import annotations

import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

import netc
from netc.training.objective import Objective
from netc.training.stop_signals import Interrupted
from tests.parity import agree
from tests.training.plain_recipes import RECIPES
from tests.training.plain_training import SAMPLES, Recipe, list_trained, train_plainly
from tests.training.runs import resume, train
from tests.training.test_ranks import assert_close, begin
from tests.training.test_resume import assert_same_run, stopping_at

SPECS = Path(__file__).parents[2] / "specs" / "training"
STEPS = 50


def test_every_spec_has_a_plain_loop() -> None:
    assert {path.stem for path in SPECS.glob("*.net")} == {*RECIPES}


def test_every_spec_is_short_and_says_what_it_shows() -> None:
    for path in SPECS.glob("*.net"):
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len(lines) <= 40
        assert lines[0].startswith("# ")
        assert netc.compile_file(path, model=RECIPES[path.stem].section).diagnostics == ()


def make_objective(name: str) -> Objective:
    recipe = RECIPES[name]
    model = netc.compile_file(SPECS / f"{name}.net", model=recipe.section)
    return model.training(recipe.section, seed=3, params=recipe.params)


def load_source(objective: Objective) -> ModuleType:
    """The file of the section, which says what is drawn in which step, and in which order the samples are."""
    module = ModuleType("section")
    exec(compile(objective.source(), "section", "exec"), module.__dict__)
    return module


def make_batches(recipe: Recipe, objective: Objective) -> list[dict[str, Tensor]]:
    """The batches of the steps. Each has all samples, and the inputs that `draw` and `vary` set."""
    section = load_source(objective)
    data = {name: torch.from_numpy(array) for name, array in recipe.make_data(np.random.default_rng(0)).items()}
    batches = []
    for step in range(STEPS):
        order = section.shuffle_samples(torch.arange(SAMPLES), step)
        batch = {name: column[order] for name, column in data.items()} | recipe.vary(step)
        batches.append(batch | section.draw_inputs(batch, step) if "draw_inputs" in vars(section) else batch)
    return batches


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.sample(6)
def test_losses_and_gradients(name: str) -> None:
    recipe, objective = RECIPES[name], make_objective(name)
    batch = make_batches(recipe, objective)[7]
    plain = recipe.make_plain()
    plain.load_state_dict(objective.model.state_dict())
    loss, metrics = objective.train()(batch)
    results = {"loss": loss} | metrics
    expected = plain.train()(batch)
    for key, value in expected.items():
        torch.testing.assert_close(results[key], value, rtol=1e-6, atol=1e-6)
    for turn in recipe.turns:
        names = list_trained(recipe, plain, turn)
        gradients = [
            torch.autograd.grad(found[turn.loss], [dict(module.named_parameters())[n] for n in names], retain_graph=True)
            for found, module in ((results, objective.model), (expected, plain))
        ]
        for key, found, wanted in zip(names, *gradients, strict=True):
            torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-6, msg=lambda text, key=key: f"{key}: {text}")


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.sample(4)
def test_weights_after_fifty_steps(name: str, tmp_path: Path) -> None:
    assert_trained_as_plain(name, SPECS / f"{name}.net", tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*RECIPES} - {"byol", "simsiam"}))
def test_weights_after_fifty_steps_in_parts(name: str, tmp_path: Path) -> None:
    """Those without batch normalization, whose statistics belong to a part."""
    text = re.sub(r"^  batch \d+\n", "", (SPECS / f"{name}.net").read_text(encoding="utf-8"), flags=re.MULTILINE).rstrip()
    path = tmp_path / f"{name}.net"
    path.write_text(text.removesuffix("}") + f"  batch {SAMPLES} accumulate=3\n}}\n", encoding="utf-8")
    assert_trained_as_plain(name, path, tmp_path)


def assert_trained_as_plain(name: str, spec: Path, folder: Path) -> None:
    """`netc.train` and the plain loop have equal weights after 50 steps."""
    recipe, objective = RECIPES[name], make_objective(name)
    start = objective.model.state_dict()
    torch.save(start, folder / "start.pt")
    netc.train(
        spec,
        model=recipe.section,
        section=recipe.section,
        params=recipe.params,
        data=recipe.make_data(np.random.default_rng(0)),
        output=folder / "run",
        weights=folder / "start.pt",
        steps=STEPS,
        batch=SAMPLES,
    )
    trained = load_file(folder / "run" / "last.safetensors")
    plain = recipe.make_plain()
    plain.load_state_dict(start)
    train_plainly(recipe, plain, make_batches(recipe, objective))
    # All parameters of the turns but the last bias of a critic, whose loss is a difference of two scores.
    trains = {name for turn in recipe.turns for name in list_trained(recipe, plain, turn)} - {"critic.4.bias"}
    for key, value in plain.state_dict().items():
        torch.testing.assert_close(trained[key], value, rtol=1e-5, atol=1e-5, msg=lambda text, key=key: f"{key}: {text}")
        assert key not in trains or not torch.equal(value, start[key])


@pytest.mark.long
@pytest.mark.parametrize("name", RECIPES)
def test_onnx_computes_the_model(name: str) -> None:
    agree(netc.compile_file(SPECS / f"{name}.net", model=RECIPES[name].section), limits={"chosen": 32, "rejected": 32})


@pytest.mark.long
@pytest.mark.parametrize("name", sorted({*RECIPES} - {"distillation"}))
def test_a_resumed_run_has_the_same_bits(name: str, tmp_path: Path) -> None:
    """Stopped after seven steps, where each epoch has three, and the turn of two losses is not complete."""
    text = (SPECS / f"{name}.net").read_text(encoding="utf-8").replace("every=copy_every", "every=3")
    data = RECIPES[name].make_data(np.random.default_rng(0))
    text = text.replace("size=64", "size=6")
    train(tmp_path / "whole", text, data, steps=12, batch=6)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", text, data, steps=12, batch=6, on_report=stopping_at(7))
    resume(tmp_path / "run", data)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


@pytest.mark.thorough(2)
@pytest.mark.long
@pytest.mark.parametrize("name", ["actor_critic", "dqn", "kendall", "ppo", "vae_annealed", "vq_vae"])
def test_two_processes_train_as_one(name: str, tmp_path: Path) -> None:
    """Those without batch normalization, which amplifies rounding: test_synchronized_statistics.py has it in float64."""
    recipe = RECIPES[name]
    (tmp_path / "spec.net").write_text((SPECS / f"{name}.net").read_text(encoding="utf-8"), encoding="utf-8")
    np.savez(tmp_path / "data.npz", **recipe.make_data(np.random.default_rng(0)))
    options = ["--steps", "12", "--batch", "6", *(word for item in recipe.params.items() for word in ("--set", "{}={}".format(*item)))]
    assert_close(begin(tmp_path, 1, "one", *options), begin(tmp_path, 2, "two", *options))
