"""Compute the measures of a train section from the targets and outputs of all validation samples, by scikit-learn's definitions.

In: a `MeasureRule`, targets and outputs as arrays. Out: one number. Always: it is NaN where the measure is undefined: an output is NaN, or
all samples are of one class.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..prediction.model_signature import BINARY, PROBABILITY, VALUE
from ..prediction.predictions import compute_probabilities, compute_values
from ..training.data.data_source import Array
from ..training.measure_rules import MeasureRule
from .scores import average_known, quiet_metrics, score_ranking


def compute_measure(rule: MeasureRule, truth: Array, outputs: Array) -> float:
    """Compute one measure of targets and outputs `[samples, ...]`."""
    if not len(truth) or np.isnan(outputs).any():
        return math.nan
    with quiet_metrics() as metrics:
        if rule.output.task == VALUE:
            return _measure_values(metrics, rule, truth, outputs)
        if rule.output.task in (BINARY, PROBABILITY):
            return _measure_binary(metrics, rule, truth.reshape(-1) > 0.5, compute_probabilities(rule.output, outputs).reshape(-1))
        probabilities = np.moveaxis(compute_probabilities(rule.output, outputs), rule.output.axis, -1)
        truth = truth.reshape(probabilities.shape[:-1])
        is_kept = truth != rule.output.ignored
        return _measure_classes(metrics, rule, truth[is_kept], probabilities[is_kept]) if is_kept.any() else math.nan


def _measure_values(metrics: Any, rule: MeasureRule, truth: Array, outputs: Array) -> float:
    # The loss may scale the target; the measure is in the unit of the data.
    predicted = compute_values(rule.output, outputs).astype(np.float64)
    # scikit-learn averages over a few columns, each with its own variance; the pixels of an image are one column.
    shape = (len(truth), -1) if predicted.ndim == 2 else (-1,)
    predicted, truth = predicted.reshape(shape), truth.reshape(shape)
    if not np.isfinite(predicted).all():
        return math.nan
    compute: dict[str, Callable[[], Any]] = {
        "mae": lambda: metrics.mean_absolute_error(truth, predicted),
        "rmse": lambda: metrics.root_mean_squared_error(truth, predicted),
        # without `force_finite=False`, scikit-learn gives 0 or 1 where r2 is undefined
        "r2": lambda: metrics.r2_score(truth, predicted, force_finite=False) if len(truth) > 1 else math.nan,
    }
    return float(compute[rule.kind]())


def _measure_binary(metrics: Any, rule: MeasureRule, truth: Array, probabilities: Array) -> float:
    predicted = probabilities >= 0.5
    compute: dict[str, Callable[[], Any]] = {
        "accuracy": lambda: metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": lambda: metrics.balanced_accuracy_score(truth, predicted),
        "f1": lambda: metrics.f1_score(truth, predicted, zero_division=0),
        "precision": lambda: metrics.precision_score(truth, predicted, zero_division=0),
        "recall": lambda: metrics.recall_score(truth, predicted, zero_division=0),
        # the samples may all be of one class, and then scikit-learn does not know that there is another
        "log_loss": lambda: metrics.log_loss(truth, probabilities, labels=[False, True]),
    }
    return float(compute[rule.kind]()) if rule.kind in compute else score_ranking(metrics, truth, probabilities)[rule.kind]


def _measure_classes(metrics: Any, rule: MeasureRule, truth: Array, probabilities: Array) -> float:
    labels, predicted = np.arange(probabilities.shape[-1]), probabilities.argmax(axis=-1)
    average = {"average": rule.average, "zero_division": 0}
    compute: dict[str, Callable[[], Any]] = {
        "accuracy": lambda: metrics.accuracy_score(truth, predicted),
        "balanced_accuracy": lambda: metrics.balanced_accuracy_score(truth, predicted),
        "f1": lambda: metrics.f1_score(truth, predicted, **average),
        "precision": lambda: metrics.precision_score(truth, predicted, **average),
        "recall": lambda: metrics.recall_score(truth, predicted, **average),
        "log_loss": lambda: metrics.log_loss(truth, probabilities, labels=labels),
        "perplexity": lambda: math.exp(metrics.log_loss(truth, probabilities, labels=labels)),
        "top_k": lambda: (
            metrics.top_k_accuracy_score(truth, probabilities, k=rule.k, labels=labels)
            # for two classes, scikit-learn wants one score for each sample, so the result is computed here
            if len(labels) > 2
            else float(rule.k > 1 or metrics.accuracy_score(truth, predicted))
        ),
    }
    if rule.kind in compute:
        return float(compute[rule.kind]())
    return average_known([score_ranking(metrics, truth == label, probabilities[:, label])[rule.kind] for label in labels])
