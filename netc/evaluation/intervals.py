"""Compute confidence intervals of metrics by the bootstrap: how much they would vary if other samples had been drawn.

In: the evaluation of a target, and the number of resamples. Out: for each metric, the interval that holds 95 % of its values on the
resamples (the percentile interval of Efron). Always: whole samples are drawn, so the pixels or tokens of one sample stay together; the same
evaluation has the same intervals. A metric that is undefined on a resample, such as `auroc` if it has one class, does not count there.

>>> lengths = np.array([1, 2, 0])
>>> gather_points(np.array([1, 1, 0]), lengths)
array([1, 2, 1, 2, 0])
"""

from __future__ import annotations

import numpy as np

from ..training.data.data_source import Array
from .evaluated_target import TargetEvaluation, score_points

COVERAGE = 0.95
_SEED = 0


def find_intervals(target: TargetEvaluation, resamples: int, top_k: int | None = None) -> dict[str, tuple[float, float]]:
    """Return the interval of each metric that is defined. Raises `NoScikitLearn`."""
    generator, count = np.random.default_rng(_SEED), len(target.errors)
    lengths = np.bincount(target.samples, minlength=count)
    values: dict[str, list[float]] = {name: [] for name in target.metrics}
    for _ in range(resamples):
        points = gather_points(generator.integers(0, count, count), lengths)
        if len(points):  # samples whose labels are all ignored have none
            scores = score_points(target.task, target.truth[points], target.predicted[points], target.names, top_k)
            for name, value in scores.metrics.items():
                values[name].append(value)
    return {name: interval for name, found in values.items() if (interval := _find_percentiles(found, target.metrics[name])) is not None}


def gather_points(drawn: Array, lengths: Array) -> Array:
    """Return the indices of the points of the drawn samples. `lengths` has the number of points of each sample; they are in order."""
    starts, counts = (np.cumsum(lengths) - lengths)[drawn], lengths[drawn]
    offsets = np.cumsum(counts) - counts
    return np.asarray(np.repeat(starts - offsets, counts) + np.arange(counts.sum()))


def _find_percentiles(values: list[float], whole: float) -> tuple[float, float] | None:
    known = np.array([value for value in values if not np.isnan(value)])
    if np.isnan(whole) or not len(known):
        return None
    low, high = np.quantile(known, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
