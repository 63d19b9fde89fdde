"""A part of a batch of which `batch_norm` has no variance: refused before the first step, where PyTorch would refuse it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path

import numpy as np
import pytest

from netc.analysis import Choice, analyze_training
from netc.compiler.errors.run_errors import RunError
from netc.dsl.source import SourceFile
from netc.training.part_sizes import check_equal_micro_batches
from netc.training.recipe import read_recipe
from tests.training.runs import train

FLAT = "y = x -> dense 4 -> batch_norm -> dense 1 -> squeeze 1"
IMAGE = "y = x -> unflatten axis=1 sizes=[1, 6] -> conv 2 3 -> batch_norm -> flatten -> dense 1 -> squeeze 1"


def run(folder: Path, model: str, count: int, settings: str, **options: int) -> None:
    text = f"x = input 6\n{model}\ntrain {{\n  target = input []\n  loss = (y, target) -> mse_loss\n  {settings}\n}}\n"
    data = {"x": np.random.default_rng(0).standard_normal((count, 6)).astype(np.float32), "target": np.ones(count, np.float32)}
    train(folder / "run", text, data, **options)


@pytest.mark.parametrize(
    ("count", "settings", "step"),
    [
        (5, "batch 4", 2),
        (9, "batch 4", 3),
        (8, "batch 4 accumulate=4", 1),
        (6, "batch 4 accumulate=2", 2),
        (1, "batch 4", 1),
        (3, "batch 1", 1),
    ],
)
def test_refused_before_the_first_step(tmp_path: Path, count: int, settings: str, step: int) -> None:
    with pytest.raises(RunError, match=f"the batch of step {step} has a part of 1 sample"):
        run(tmp_path, FLAT, count, settings)
    assert not (tmp_path / "run").exists()


SECTION = "train {\n  target = input []\n  loss = (y, target) -> mse_loss\n  SETTINGS\n}\n"
TRACKING = IMAGE.replace("batch_norm", "instance_norm track_running_stats=true")
SPECTRAL = "w = param [4, 6] init=normal as weight; y = x -> dense 4 weight=(spectral_normalize(w)) -> dense 1 -> squeeze 1"


@pytest.mark.parametrize(
    ("model", "count", "settings", "why"),
    [
        (FLAT, 12, "batch 5 accumulate=2", "step 1 has 5 samples, which `accumulate=2` does not divide"),
        (FLAT, 15, "batch 12 accumulate=2", "step 2 has 3 samples, which `accumulate=2` does not divide"),
        (TRACKING, 15, "batch 12 accumulate=2", "with `--pp 2`, `instance_norm` would see"),
        (SPECTRAL, 15, "batch 12 accumulate=2", "with `--pp 2`, `spectral_normalize` would see"),
        (FLAT, 15, "batch 12 accumulate=2; steps 1", None),
        (FLAT, 16, "batch 12 accumulate=2", None),
        (FLAT, 12, "batch 5", None),
        (IMAGE.replace("batch_norm", "instance_norm"), 15, "batch 12 accumulate=2", None),
        (FLAT.replace("batch_norm", "layer_norm"), 12, "batch 5 accumulate=2", None),
    ],
)
def test_statistics_of_stages_need_the_micro_batches_of_one_process(model: str, count: int, settings: str, why: str | None) -> None:
    text = f"x = input 6\n{model}\n" + SECTION.replace("SETTINGS", settings.replace("; ", "\n  "))
    training = analyze_training(SourceFile("<text>", text), Choice()).training
    assert training is not None
    with nullcontext() if why is None else pytest.raises(RunError, match=why):
        check_equal_micro_batches(training, read_recipe(training)[0], count, 2)


@pytest.mark.parametrize(
    ("model", "count", "settings", "steps"),
    [
        (FLAT, 6, "batch 4", 2),
        (FLAT, 9, "batch 4", 2),
        (FLAT, 8, "batch 4 accumulate=2", 2),
        (IMAGE, 5, "batch 4", 2),
        (FLAT.replace("batch_norm", "layer_norm"), 5, "batch 4", 2),
    ],
    ids=["two", "a run that ends before", "two parts", "several positions", "another operator"],
)
def test_what_has_a_variance_is_trained(tmp_path: Path, model: str, count: int, settings: str, steps: int) -> None:
    run(tmp_path, model, count, settings, steps=steps)
    assert (tmp_path / "run" / "last.safetensors").exists()
