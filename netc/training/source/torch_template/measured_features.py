"""Measure the means and deviations of the model's `standardize` stages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from .declared_names import STANDARDIZED, Batch, compute_totals, vary_inputs

# --- the file --------------------------------------------------------------------------------------------------------------


# generated: standardized


def iterate_stage_inputs(model: nn.Module, stage: Any, batches: Iterable[Batch]) -> Iterator[Tensor]:
    """Yield what a stage of the model is called with, as `[features, values]`."""
    inputs: list[Tensor] = []
    hook = stage.register_forward_pre_hook(lambda _, arguments: inputs.append(arguments[0]))
    for batch in batches:
        compute_totals(model, batch | vary_inputs(0, 1, 1))  # if: varied
        compute_totals(model, batch)  # if: not varied
        for x in inputs:
            yield x.double().movedim(stage.axis, 0).flatten(1) if stage.mean.dim() else x.double().reshape(1, -1)
        inputs.clear()
    hook.remove()


def measure_features(inputs: Iterable[Tensor]) -> tuple[Tensor, Tensor]:
    """Compute the mean and the deviation of each feature, without NaN and infinities. The deviation of a constant is 1."""
    first = count = total = squares = torch.zeros(1, dtype=torch.float64)
    for values in inputs:
        is_known = values.isfinite()
        candidates = values.gather(1, is_known.int().argmax(1, keepdim=True)).squeeze(1).nan_to_num(0, 0, 0)
        count = count.to(values.device)
        # Differences to a value of the data are exactly 0 for a constant, and precise for large means.
        first = torch.where(count == 0, candidates, first.to(values.device))
        difference = torch.where(is_known, values - first[:, None], 0)
        count = count + is_known.sum(1)
        total = total.to(values.device) + difference.sum(1)
        squares = squares.to(values.device) + difference.square().sum(1)
    mean = total / count.clamp(min=1)
    deviation = (squares / count.clamp(min=1) - mean.square()).clamp(min=0).sqrt()
    return first + mean, torch.where(deviation == 0, 1, deviation)


@torch.no_grad()  # if: standardize
def fit_standardize(model: nn.Module, make_batches: Callable[[], Iterable[Batch]]) -> None:  # if: standardize
    """Measure the means and deviations of `standardize` on the training samples, unless loaded weights have some."""
    model.eval()
    for name in STANDARDIZED:
        stage: Any = model.get_submodule(name)
        if not stage.mean.any() and (stage.std == 1).all():
            mean, deviation = measure_features(iterate_stage_inputs(model, stage, make_batches()))
            stage.mean.copy_(mean.reshape(stage.mean.shape))
            stage.std.copy_(deviation.reshape(stage.std.shape))
    model.train()
