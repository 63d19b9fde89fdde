"""`stop`: when a run ends early, with PyTorch's `ReduceLROnPlateau` as the judge, and resumed runs that end in the same place."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch.optim.lr_scheduler import ReduceLROnPlateau

import netc
from netc.cli import cli
from netc.errors import CompileError
from netc.training.best_result import BestResult
from netc.training.keep_rule import names_higher
from netc.training.objective import Objective
from netc.training.recipe import Recipe
from netc.training.section_file import SectionFile
from netc.training.source import emit_run_file
from netc.training.stop_signals import Interrupted
from tests.training.runs import SPEC, resume, train
from tests.training.test_objective import section
from tests.training.test_recipe import recipe
from tests.training.test_resume import assert_same_run, stopping_at

STOPPING = SPEC.replace("epochs 4", "epochs 40").replace("keep best accuracy", "stop patience=2")


def find_stop(values: list[float], patience: int, min_delta: float, higher: bool) -> int | None:
    """Return the number of values after which PyTorch would reduce the learning rate for the first time."""
    optimizer = torch.optim.SGD([torch.zeros(1)], lr=1.0)
    schedule = ReduceLROnPlateau(
        optimizer, mode="max" if higher else "min", patience=patience - 1, threshold=min_delta, threshold_mode="abs"
    )
    for count, value in enumerate(values, 1):
        schedule.step(value)
        if optimizer.param_groups[0]["lr"] < 1:
            return count
    return None


def make_best_result(made: Recipe) -> BestResult:
    objective = Objective(section("x = input 2\ny = x -> dense 1\ntrain { loss = y -> mean }"), recipe=made)
    return BestResult(made, SectionFile(emit_run_file(objective._section, None)))


SERIES = [
    [4.0, 3.0, 3.0, 2.5, 2.5, 2.75, 2.25, 2.0, 2.0, 2.0, 2.0, 2.0],
    [1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
    [math.nan, math.nan, 3.0, math.nan, 1.0, math.nan, math.nan, math.nan],
    [math.inf, 3.0, -math.inf, -math.inf, 0.0, 0.0],
    [1e30, 1e30, 1e30 * (1 - 2**-52), 1e30],
    [0.0],
]


@pytest.mark.parametrize("higher", [False, True])
@pytest.mark.parametrize(("patience", "min_delta"), [(1, 0), (2, 0), (3, 0.25), (2, 0.5), (4, 1)])
def test_the_patience_is_that_of_pytorch(patience: int, min_delta: float, higher: bool) -> None:
    keep = "keep best loss max" if higher else "keep best loss"
    made = recipe("validate 0.1", keep, f"stop patience={patience} min_delta={min_delta}")
    best = make_best_result(made)
    start = best.state_dict()
    for values in [*SERIES, *([-v for v in values] for values in SERIES)]:
        best.load_state_dict(start)
        stops = []
        for step, value in enumerate(values, 1):
            best.add_result(value, step)
            best.load_state_dict(json.loads(json.dumps(best.state_dict())))  # as a resumed run would
            if best.is_stalled:
                stops.append(step)
        assert next(iter(stops), None) == find_stop(values, patience, min_delta, higher), values


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stopped") / "run"
    train(folder, STOPPING)
    return folder


def list_losses(run: Path) -> list[float]:
    entries = map(json.loads, (run / "metrics.jsonl").read_text().splitlines())
    return [entry["validation"]["loss"] for entry in entries if "validation" in entry]


def test_a_run_stops_early(stopped: Path, tmp_path: Path) -> None:
    full = tmp_path / "full"
    train(full, STOPPING.replace("stop patience=2", ""))
    losses = list_losses(full)
    count = find_stop(losses, 2, 0, higher=False)
    assert count is not None
    assert 2 < count < len(losses) == 40
    assert list_losses(stopped) == losses[:count]
    assert (stopped / "best.safetensors").read_bytes() != (stopped / "last.safetensors").read_bytes()


@pytest.mark.sample(1)
@pytest.mark.parametrize(("from_end", "validation"), [(0, False), (1, False), (1, True), (2, False), (2, True)])
def test_a_resumed_run_stops_at_the_same_step(from_end: int, validation: bool, stopped: Path, tmp_path: Path) -> None:
    steps = 5 * (len(list_losses(stopped)) - from_end)
    with pytest.raises(Interrupted):
        train(tmp_path / "run", STOPPING, on_report=stopping_at(steps, validation))
    result = resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", stopped)
    assert result.steps == 5 * len(list_losses(stopped))


def test_a_stopped_run_has_nothing_left(stopped: Path) -> None:
    before = (stopped / "metrics.jsonl").read_text()
    result = resume(stopped)
    losses = list_losses(stopped)
    assert (stopped / "metrics.jsonl").read_text() == before
    best = f"the lowest loss was {min(losses):.4g}, at step {5 * (int(np.argmin(losses)) + 1)}"
    assert result.remark == f"stopped early at step {5 * len(losses)} of 200; {best}"
    assert f"({result.remark})" in result.summary()


def test_stop_needs_validation_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bare = STOPPING.replace("validate 0.2", "")
    for options in ({"spec": bare}, {"spec": STOPPING, "validation": 0.0}):
        with pytest.raises(CompileError, match="`stop` counts validations, and there is no validation data"):
            train(tmp_path / "run", **options)  # type: ignore[arg-type]
        assert not (tmp_path / "run").exists()
    with pytest.raises(CompileError, match="there is no validation data"):
        netc.compile(bare).training().source()
    monkeypatch.chdir(tmp_path)
    Path("a.net").write_text(bare)
    result = CliRunner().invoke(cli, ["compile", "a.net", "--target", "train"], prog_name="netc")
    assert (result.exit_code, result.stdout) == (1, "")
    train(tmp_path / "run", bare, validation=0.2)
    assert len(list_losses(tmp_path / "run")) < 40


def test_an_emitted_training_says_why_it_stops() -> None:
    source = netc.compile(STOPPING).training().source()
    assert 'print(f"stopped early: validations without a better result: {PATIENCE}")' in source


@pytest.mark.parametrize(
    "name", ["accuracy", "val_accuracy", "valAccuracy", "top1", "top5_accuracy", "f1", "r2", "AUROC", "iou_small", "Recall2", "acc"]
)
def test_names_of_which_more_is_better(name: str) -> None:
    assert names_higher(name)


@pytest.mark.parametrize(
    "name",
    [
        "error",
        "error2",
        "mae_layer2",
        "diff1",
        "f1_loss",
        "auc_error",
        "accuracy_gap",
        "top1Error",
        "previous_error",
        "imprecision",
        "accident",
        "e",
        "_",
    ],
)
def test_names_of_which_less_is_better(name: str) -> None:
    """Also names in which a word such as `r2` is a part of another word."""
    assert not names_higher(name)
