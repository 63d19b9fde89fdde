"""Measure the means and deviations of `standardize` on the training samples, before the first step."""

# mypy: ignore-errors

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import jax
import numpy as np
from flax import nnx

# --- the file --------------------------------------------------------------------------------------------------------------


# generated: standardized


def iterate_stage_inputs(model: nnx.Module, stage: Standardize, batches: Iterable[Batch]) -> Iterator[np.ndarray]:
    """Yield what a stage of the model is called with, as `[features, values]`."""
    inputs = []

    class Recorder(Standardize):
        def __call__(self, x: jax.Array) -> jax.Array:
            if not isinstance(x, jax.core.Tracer):  # a gradient calls the model again, with a tracer
                inputs.append(np.asarray(x, np.float64))
            return super().__call__(x)

    stage.__class__ = Recorder
    for batch in batches:
        with jax.disable_jit():  # a loop, too, is called with numbers
            compute_totals(model, batch | vary_inputs(0, 1, 1))  # if: varied
            compute_totals(model, batch)  # if: not varied
        if not inputs:
            raise ValueError("a stage `standardize` was called with no numbers, so it cannot be measured")
        for x in inputs:
            yield np.moveaxis(x, stage.axis, 0).reshape(x.shape[stage.axis], -1) if stage.mean.ndim else x.reshape(1, -1)
        inputs.clear()
    stage.__class__ = Standardize


def measure_features(inputs: Iterable[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Compute the mean and the deviation of each feature, without NaN and infinities. The deviation of a constant is 1."""
    first = count = total = squares = np.zeros(1)
    for values in inputs:
        is_known = np.isfinite(values)
        known = np.where(is_known, values, 0)
        # Differences to a value of the data are exactly 0 for a constant, and precise for large means.
        first = np.where(count == 0, np.take_along_axis(known, is_known.argmax(1)[:, None], 1)[:, 0], first)
        difference = np.where(is_known, known - first[:, None], 0)
        count = count + is_known.sum(1)
        total = total + difference.sum(1)
        squares = squares + np.square(difference).sum(1)
    mean = total / np.maximum(count, 1)
    deviation = np.sqrt(np.maximum(squares / np.maximum(count, 1) - np.square(mean), 0))
    return first + mean, np.where(deviation == 0, 1, deviation)


def fit_standardize(model: nnx.Module, make_batches: Callable[[], Iterable[Batch]]) -> None:
    """Measure the means and deviations of `standardize` on the training samples, unless loaded weights have some."""
    model.eval()
    modules = {".".join(map(str, path)): module for path, module in nnx.iter_modules(model)}
    for name in STANDARDIZED:
        stage = modules[name]
        if not stage.mean[...].any() and (stage.std[...] == 1).all():
            mean, deviation = measure_features(iterate_stage_inputs(model, stage, make_batches()))
            stage.mean[...] = mean.reshape(stage.mean.shape).astype(stage.mean.dtype)
            stage.std[...] = deviation.reshape(stage.std.shape).astype(stage.std.dtype)
    model.train()
