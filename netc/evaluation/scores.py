"""Compute the metrics of predictions, by scikit-learn's definitions.

In: targets and predictions as arrays. Out: `Scores`. Always: a metric that is undefined for the data, such as `auroc` if all samples are of
one class, is NaN, and a note says so.

>>> scores = score_values(np.array([1.0, 2.0, 4.0]), np.array([1.0, 3.0, 4.0]))
>>> {name: round(value, 3) for name, value in scores.metrics.items()}
{'mae': 0.333, 'rmse': 0.577, 'r2': 0.786}
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import numpy as np

from netc.compiler.errors.optional_packages import format_install_command
from netc.dsl.record import Record, replace

from ..training.data.data_source import Array

TOP_K = 5
"""The default of `top_k`, for outputs with more classes than this."""


class NoScikitLearn(Exception):
    """scikit-learn is not installed."""

    def __init__(self) -> None:
        super().__init__(f"metrics are computed by scikit-learn, which is not installed: run `{format_install_command('sklearn')}`")


class Scores(Record):
    """The metrics of one output by name, of each class by name, and the confusion matrix `[true, predicted]`."""

    metrics: Mapping[str, float]
    classes: Mapping[str, Mapping[str, float]] = {}
    confusion: Array | None = None
    notes: tuple[str, ...] = ()


@contextmanager
def quiet_metrics() -> Iterator[Any]:
    """Yield `sklearn.metrics`, without its warnings on undefined metrics. Raises `NoScikitLearn`."""
    try:
        from sklearn import metrics
    except ImportError:
        raise NoScikitLearn from None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield metrics


def score_labels(truth: Array, predicted: Array, names: tuple[str, ...]) -> Scores:
    """Compute the metrics of a classification from class numbers `[samples]`, true and predicted ones."""
    labels = np.arange(len(names))
    with quiet_metrics() as metrics:
        rows = metrics.precision_recall_fscore_support(truth, predicted, labels=labels, zero_division=0)
        results = {
            "accuracy": metrics.accuracy_score(truth, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "f1_macro": metrics.f1_score(truth, predicted, average="macro", zero_division=0),
        }
        confusion = metrics.confusion_matrix(truth, predicted, labels=labels)
    classes = {
        name: {"precision": rows[0][i], "recall": rows[1][i], "f1": rows[2][i], "samples": int(rows[3][i])} for i, name in enumerate(names)
    }
    absent = [name for i, name in enumerate(names) if not rows[3][i]]
    notes = (f"no sample is of the class {', '.join(f'`{name}`' for name in absent[:5])}; averages leave it out",) if absent else ()
    return Scores({name: float(value) for name, value in results.items()}, classes, confusion, notes)


def score_classes(truth: Array, probabilities: Array, names: tuple[str, ...], top_k: int | None = None) -> Scores:
    """Compute the metrics of a classification from class numbers `[samples]` and probabilities `[samples, classes]`."""
    scores, labels = score_labels(truth, probabilities.argmax(axis=1), names), np.arange(len(names))
    top_k = top_k if top_k is not None else TOP_K if len(names) > TOP_K else None
    with quiet_metrics() as metrics:
        areas = [score_ranking(metrics, truth == label, probabilities[:, label]) for label in labels]
        more = {
            "log_loss": metrics.log_loss(truth, probabilities, labels=labels) if len(names) > 1 else math.nan,
            "auroc_macro": average_known([area["auroc"] for area in areas]),
            "average_precision_macro": average_known([area["average_precision"] for area in areas]),
        }
        # for two classes, scikit-learn wants one score for each sample
        if top_k is not None and len(names) > 2:
            more[f"top_{top_k}_accuracy"] = metrics.top_k_accuracy_score(truth, probabilities, k=top_k, labels=labels)
    results = {**scores.metrics, **{name: float(value) for name, value in more.items()}}
    rows = zip(scores.classes.items(), areas, strict=True)
    classes = {name: {**_without_samples(row), **area, "samples": row["samples"]} for (name, row), area in rows}
    return replace(scores, metrics=results, classes=classes)


def score_binary(truth: Array, probabilities: Array, names: tuple[str, str]) -> Scores:
    """Compute the metrics of a yes/no decision from booleans `[samples]` and the probabilities of yes `[samples]`."""
    predicted = probabilities >= 0.5
    with quiet_metrics() as metrics:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, predicted, average="binary", zero_division=0)
        results = {
            "accuracy": metrics.accuracy_score(truth, predicted),
            "balanced_accuracy": metrics.balanced_accuracy_score(truth, predicted),
            "f1": f1,
            "precision": precision,
            "recall": recall,
            # the samples may all be of one class, and then scikit-learn does not know that there is another
            "log_loss": metrics.log_loss(truth, probabilities, labels=[False, True]),
            **score_ranking(metrics, truth, probabilities),
        }
        confusion = metrics.confusion_matrix(truth, predicted, labels=[False, True])
        rows = metrics.precision_recall_fscore_support(truth, predicted, labels=[False, True], zero_division=0)
    classes = {
        name: {"precision": rows[0][i], "recall": rows[1][i], "f1": rows[2][i], "samples": int(rows[3][i])} for i, name in enumerate(names)
    }
    only = names[int(truth[0])] if truth.all() or not truth.any() else ""
    return Scores({n: float(v) for n, v in results.items()}, classes, confusion, (f"all samples are `{only}`",) if only else ())


def score_values(truth: Array, predicted: Array) -> Scores:
    """Compute the metrics of a regression from numbers `[samples]`."""
    with quiet_metrics() as metrics:
        results = {
            "mae": metrics.mean_absolute_error(truth, predicted),
            "rmse": metrics.root_mean_squared_error(truth, predicted),
            # without `force_finite=False`, scikit-learn gives 0 or 1 where r2 is undefined
            "r2": metrics.r2_score(truth, predicted, force_finite=False) if len(truth) > 1 else math.nan,
        }
    return Scores({name: float(value) for name, value in results.items()})


def _without_samples(row: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in row.items() if name != "samples"}


def score_ranking(metrics: Any, is_positive: Array, probabilities: Array) -> dict[str, float]:
    """Compute the metrics that depend on the order of the probabilities; NaN if all samples are alike."""
    if is_positive.all() or not is_positive.any():
        return {"auroc": math.nan, "average_precision": math.nan}
    return {
        "auroc": float(metrics.roc_auc_score(is_positive, probabilities)),
        "average_precision": float(metrics.average_precision_score(is_positive, probabilities)),
    }


def average_known(values: list[float]) -> float:
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan
