"""The evaluation of one target: its true and predicted values, the metrics, and their intervals.

In: the points of a target, each with its true and its predicted value. Out: a `TargetEvaluation`. A sample has several points if it has a
target for each of its pixels or tokens.

    >>> _numbers_to_json({"accuracy": 0.9, "roc_auc": np.nan})
    {'accuracy': 0.9, 'roc_auc': None}
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from netc.dsl.record import Record

from ..prediction.model_signature import BINARY, LABEL, VALUE
from ..training.data.data_source import Array
from .scores import Scores, score_binary, score_classes, score_labels, score_values

_SCORES: Mapping[str, Callable[..., Scores]] = {
    LABEL: score_labels,
    BINARY: score_binary,
    VALUE: lambda truth, predicted, names: score_values(truth, predicted),
}
"""The functions that compute the metrics of a task, except classes with probabilities, which take `top_k` too."""


class TargetEvaluation(Record):
    """The evaluation of one target. `truth` has class numbers, booleans or numbers `[points]`; `predicted` has the probabilities
    `[points, classes]`, or class numbers or numbers `[points]`; `samples` has the number of each point's sample. `errors` says how wrong
    each sample is: the negative logarithm of the probability of its class, or the absolute error. `intervals` has the 95 % intervals of
    metrics, if they were asked for."""

    output: str
    target: str
    task: str
    names: tuple[str, ...]
    scores: Scores
    truth: Array
    predicted: Array
    errors: Array
    samples: Array
    intervals: Mapping[str, tuple[float, float]] = {}

    @property
    def metrics(self) -> dict[str, float]:
        return dict(self.scores.metrics)

    def to_json(self) -> dict[str, Any]:
        """Convert to a JSON object. Undefined metrics are `null`."""
        scores = self.scores
        record: dict[str, Any] = {"output": self.output, "target": self.target, "task": self.task, "samples": len(self.errors)}
        record["metrics"] = _numbers_to_json(scores.metrics)
        if self.intervals:
            record["intervals"] = {name: [_number_to_json(bound) for bound in bounds] for name, bounds in self.intervals.items()}
        if scores.classes:
            record["classes"] = [{"name": name, **_numbers_to_json(row)} for name, row in scores.classes.items()]
        if scores.confusion is not None:
            record["confusion"] = scores.confusion.tolist()
        return record | ({"notes": list(scores.notes)} if scores.notes else {})


def evaluate_points(
    output: str,
    target: str,
    task: str,
    names: tuple[str, ...],
    truth: Array,
    predicted: Array,
    errors: Array,
    samples: Array,
    top_k: int | None = None,
) -> TargetEvaluation:
    """Compute the metrics of a target. Raises `NoScikitLearn`."""
    scores = score_points(task, truth, predicted, names, top_k)
    return TargetEvaluation(output, target, task, names, scores, truth, predicted, errors, samples)


def score_points(task: str, truth: Array, predicted: Array, names: tuple[str, ...], top_k: int | None = None) -> Scores:
    """Compute the metrics of a task."""
    score = _SCORES.get(task)
    return score_classes(truth, predicted, names, top_k) if score is None else score(truth, predicted, names)


def _numbers_to_json(numbers: Any) -> dict[str, Any]:
    return {name: _number_to_json(value) for name, value in numbers.items()}


def _number_to_json(value: float) -> float | None:
    if isinstance(value, int):
        return value
    return float(value) if np.isfinite(value) else None
