"""Raise the error of a step at the stage that causes it.

In: an objective, the micro-batches of a step, and what went wrong: a loss that is not finite, or an error of PyTorch. Out: a `CompileError`
with the span of the stage. Always: in a run on several processes, all take part in finding the stage, or none does.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NoReturn

import torch
from torch import Tensor

from netc.compiler.errors.run_errors import BatchRefused, LossNotFinite

from ..files.file_problems import make_diagnostic
from .batches import MicroBatch
from .checkpoints import CheckpointStore
from .engine import Engine
from .locate_refusal import find_refusing, is_machine_error
from .not_finite import find_nonfinite
from .objective import Objective
from .ranks import Ranks
from .source.loss_needs import find_total_positions
from .training_failures import NotFiniteLoss, RefusedBatch

_HELP_EMPTY = "leave samples without a label that counts out of the data (labels of -100 are ignored), or make `batch` larger"


class FailureLocator:
    """Finds the stages that cause errors in the steps of a run. The messages name the last checkpoint."""

    def __init__(self, objective: Objective, engine: Engine, ranks: Ranks, checkpoints: CheckpointStore) -> None:
        self.objective, self.engine, self.ranks, self.checkpoints = objective, engine, ranks, checkpoints

    def raise_not_finite(self, value: float, step: int, weights: Mapping[str, Tensor], micro_batches: Sequence[MicroBatch]) -> NoReturn:
        """Raise the error at the first stage whose output is not finite, in the forward pass that was just computed. `value` is the loss,
        and `weights` are the model's full, unsharded weights."""
        section, file = self.objective.training_section, self.objective.file
        loss = section.losses[0] if len(section.losses) == 1 else str(file.select_loss(step))
        # The same seed as the step, so that dropout draws the same mask.
        file.seed_step(step)
        found = (find_nonfinite(self.objective, loss, weights, micro_batch) for micro_batch in micro_batches)
        places = self.ranks.all_gather(next((place for place in found if place is not None), None))
        place = next((place for place in places if place is not None), None)
        stage, remedy = "the output of every stage is finite", "try a smaller learning rate, or limit the gradient by `clip 1.0`"
        if place is not None:
            stage = place.what
        elif self._is_empty(loss, micro_batches):
            stage, remedy = "a mean of no values is NaN: this batch has none that count", _HELP_EMPTY
        problem = LossNotFinite(step + 1, "NaN" if math.isnan(value) else "infinite", stage, self.checkpoints.step, remedy)
        raise NotFiniteLoss(problem, section.spans[loss] if place is None else place.span)

    def _is_empty(self, loss: str, micro_batches: Sequence[MicroBatch]) -> bool:
        """Whether a mean of the loss has no values in the whole batch, such as labels that are all ignored."""
        counts = torch.stack([torch.stack(self.objective.counts(micro_batch)).cpu() for micro_batch in micro_batches]).sum(dim=0)
        total = torch.stack(self.ranks.all_gather(counts)).sum(dim=0)
        return any(total[i] == 0 for i in find_total_positions(self.objective.means, loss))

    def raise_if_located(self, error: Exception, micro_batches: Sequence[MicroBatch], batch: str) -> None:
        """Find the stage that raises this error for one of the micro-batches, and raise a `CompileError` there.

        If there is none, return: the caller raises the original error.
        """
        why = str(error).partition("\n")[0]
        if self.ranks.world > 1 and (self.engine.strategy == "fsdp" or self.engine.tp > 1 or self.engine.pp > 1):
            # The stage is not located here: gathering the parameters needs the other processes, which may have had no error.
            if is_machine_error(error):
                return
            span = self.objective.training_section.loss_span
            raise RefusedBatch((make_diagnostic(BatchRefused(None, batch, why, self.checkpoints.step), span),)) from None
        weights = self.objective.model.state_dict()
        for micro_batch in micro_batches:
            place = find_refusing(self.objective, weights, micro_batch, error)
            if place is not None:
                raise RefusedBatch((make_diagnostic(BatchRefused(place.what, batch, why, self.checkpoints.step), place.span),)) from None
