"""Intervals of metrics: the bootstrap of SciPy on the same samples gives the same, up to the drawn resamples."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

import netc
from netc.cli import cli
from netc.evaluation.evaluated_target import TargetEvaluation, evaluate_points
from netc.evaluation.intervals import find_intervals, gather_points
from netc.prediction.model_signature import BINARY, CLASSES, LABEL, VALUE

metrics = pytest.importorskip("sklearn.metrics")
stats = pytest.importorskip("scipy.stats")

COUNT = 120
NAMES = ("ash", "beech", "oak")


def make_target(task: str, truth: Any, predicted: Any, names: tuple[str, ...], points: int = 1) -> TargetEvaluation:
    samples = np.repeat(np.arange(len(truth) // points), points)
    return evaluate_points("out", "target", task, names, truth, predicted, np.zeros(len(truth) // points), samples)


def flatten(intervals: dict[str, tuple[float, float]]) -> dict[tuple[str, int], float]:
    return {(name, i): bound for name, bounds in intervals.items() for i, bound in enumerate(bounds)}


def draw_classes() -> tuple[Any, Any]:
    generator = np.random.default_rng(0)
    truth = generator.integers(0, 3, COUNT)
    scores = generator.random((COUNT, 3)) + 0.4 * np.eye(3)[truth]
    return truth, scores / scores.sum(1, keepdims=True)


def find_with_scipy(statistic: Any, *samples: Any) -> tuple[float, float]:
    found = stats.bootstrap(samples, statistic, paired=True, vectorized=False, n_resamples=3000, method="percentile", random_state=1)
    return found.confidence_interval.low, found.confidence_interval.high


@pytest.mark.long
def test_classes() -> None:
    truth, probabilities = draw_classes()
    intervals = find_intervals(make_target(CLASSES, truth, probabilities, NAMES), 200)
    assert intervals.keys() >= {"accuracy", "log_loss", "auroc_macro"}
    expected = find_with_scipy(lambda i: np.mean(probabilities[i].argmax(1) == truth[i]), np.arange(COUNT))
    assert intervals["accuracy"] == pytest.approx(expected, abs=0.04)
    expected = find_with_scipy(lambda i: -np.log(probabilities[i, truth[i]]).mean(), np.arange(COUNT))
    assert intervals["log_loss"] == pytest.approx(expected, abs=0.04)


@pytest.mark.long
def test_values() -> None:
    generator = np.random.default_rng(1)
    truth = generator.normal(1e6, 5, COUNT)
    predicted = truth + generator.normal(0, 2, COUNT)
    intervals = find_intervals(make_target(VALUE, truth, predicted, ()), 600)
    expected = find_with_scipy(lambda a, b: np.abs(a - b).mean(), truth, predicted)
    assert intervals["mae"] == pytest.approx(expected, abs=0.05)
    expected = find_with_scipy(lambda a, b: 1 - ((a - b) ** 2).sum() / ((a - a.mean()) ** 2).sum(), truth, predicted)
    assert intervals["r2"] == pytest.approx(expected, abs=0.03)


@pytest.mark.long
def test_points_of_a_sample_stay_together() -> None:
    """Each label four times is no more evidence than once."""
    truth, probabilities = draw_classes()
    once = find_intervals(make_target(LABEL, truth, probabilities.argmax(1), NAMES), 50)
    repeated = make_target(LABEL, truth.repeat(4), probabilities.argmax(1).repeat(4), NAMES, 4)
    assert flatten(find_intervals(repeated, 50)) == pytest.approx(flatten(once))
    assert once["accuracy"][0] < once["accuracy"][1] < 1


def test_undefined_metrics_have_no_interval() -> None:
    target = make_target(BINARY, np.ones(8, bool), np.full(8, 0.75), ("no", "yes"))
    whole = dict.fromkeys(("accuracy", "balanced_accuracy", "f1", "precision", "recall"), (1.0, 1.0))
    assert flatten(find_intervals(target, 20)) == pytest.approx(flatten({**whole, "log_loss": (-np.log(0.75),) * 2}))


@pytest.mark.parametrize("drawn", [[], [2, 2, 0], [1, 3, 3]])
def test_points_are_gathered(drawn: list[int]) -> None:
    points = [[0, 1], [], [2], [3, 4, 5]]
    lengths = np.array([len(one) for one in points])
    assert gather_points(np.array(drawn, int), lengths).tolist() == [point for i in drawn for point in points[i]]


def evaluate(folder: Path, *words: str, data: str = "rows.csv") -> Result:
    return CliRunner().invoke(cli, ["evaluate", str(folder / "run"), "--data", str(folder / data), *words], prog_name="netc")


def test_command(tmp_path: Path) -> None:
    lines = [f"{i},{['ash', 'oak'][i % 3 == 0]}" for i in range(24)]
    (tmp_path / "rows.csv").write_text("\n".join(["width,kind", *lines, ""]), encoding="utf-8")
    (tmp_path / "one.csv").write_text("width,kind\n1,ash\n", encoding="utf-8")
    text = """width = input []
scores = width / 10 -> unsqueeze 1 -> dense 2
train {
  kind = input [] int64
  loss = (scores, kind) -> cross_entropy
  data csv "rows.csv"
  steps 1
}
"""
    (tmp_path / "a.net").write_text(text, encoding="utf-8")
    netc.train(tmp_path / "a.net", output=tmp_path / "run")
    (target,) = json.loads(evaluate(tmp_path, "--json", "--bootstrap", "30").stdout)["targets"]
    assert target["intervals"].keys() == {name for name, value in target["metrics"].items() if value is not None}
    assert all(low <= target["metrics"][name] <= high for name, (low, high) in target["intervals"].items())
    shown = evaluate(tmp_path, "--bootstrap", "30", "-o", str(tmp_path / "report.html")).stdout
    low, high = target["intervals"]["accuracy"]
    assert f"  95 %: {low:.4f} to {high:.4f}\n" in shown
    assert f"<small>{low:.4f} to {high:.4f}</small>" in (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "95 %" not in evaluate(tmp_path).stdout
    refused = evaluate(tmp_path, "--bootstrap", "30", data="one.csv")
    assert (refused.exit_code, "an interval needs at least two" in refused.stderr) == (1, True)
