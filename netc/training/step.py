"""One step: the gradient of the whole batch, and the update.

In: the parts of a batch. Out: its totals and counts. Always: the gradient is that of the loss of the whole batch, in however many parts and
on however many processes it is computed: the counts are summed before the first backward pass. If the loss is not finite, nothing is
changed.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netc.compiler.ir.training import LOSS
from netc.dsl.record import Record

from .batches import Part
from .objective import Objective
from .optimizers import Schedule
from .precision import Precision
from .ranks import Ranks
from .recipe import Recipe
from .tally import stacked


class NotFinite(Exception):
    """The loss of this batch is NaN or infinite."""

    def __init__(self, value: float) -> None:
        super().__init__(str(value))
        self.value = value


class Found(Record):
    """What a step has summed over its batch, on all processes. `stop`: one of them was asked to stop."""

    totals: Tensor
    counts: Tensor
    stop: bool


class Step:
    """Makes steps. `synchronised(last)` surrounds the forward and backward pass of a part, and averages gradients over processes in the
    last one."""

    def __init__(
        self,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        schedule: Schedule | None,
        recipe: Recipe,
        precision: Precision,
        ranks: Ranks,
    ) -> None:
        self.objective, self.optimizer, self.schedule = objective, optimizer, schedule
        self.recipe, self.precision, self.ranks = recipe, precision, ranks
        self.trained = [p for group in optimizer.param_groups for p in group["params"]]
        self.place = objective.names.index(LOSS)

    def make(self, number: int, parts: list[Part], stop: bool) -> Found:
        """The step with this number. Raises `NotFinite`."""
        seed_generators(self.recipe.seed, number, self.ranks)
        counts, stop = self._counts(parts, stop)
        self.optimizer.zero_grad(set_to_none=True)
        totals, loss = self._gradient(parts, counts)
        summed = self.ranks.sum(torch.cat((totals, loss[None])))
        value = summed[-1].item()
        if not math.isfinite(value):
            raise NotFinite(value)
        self.precision.update(self.optimizer, self._clip)
        if self.schedule is not None:
            self.schedule.step()
        return Found(summed[:-1], counts, stop)

    def _counts(self, parts: list[Part], stop: bool) -> tuple[Tensor, bool]:
        """What the totals of the whole batch are divided by, and whether any process stops."""
        counts = torch.stack([stacked(self.objective.counts(part)) for part in parts]).sum(0)
        if self.ranks.world == 1:
            return counts, stop
        summed = self.ranks.sum(torch.cat((counts, counts.new_tensor([float(stop)]))))
        return summed[:-1], bool(summed[-1].item())

    def _gradient(self, parts: list[Part], counts: Tensor) -> tuple[Tensor, Tensor]:
        """Adds the gradients of all parts; the totals, and the loss as far as it is of this process."""
        totals, loss = torch.zeros_like(counts), counts.new_zeros(())
        for index, part in enumerate(parts):
            with self.synchronised(index == len(parts) - 1):
                with self.precision.autocast():
                    found = self.objective.totals(part)
                own = self._loss(found, counts, len(parts) * self.ranks.world)
                # Processes average their gradients, and the gradient is the sum of theirs.
                self.precision.backward(own * self.ranks.world if self.ranks.world > 1 else own)
            totals, loss = totals + stacked(found), loss + own.detach()
        return totals, loss

    def _loss(self, totals: list[Tensor], counts: Tensor, parts: int) -> Tensor:
        """What a part adds to the loss: terms that are the same for all samples are added once."""
        if self.objective.of_means is None:
            return self.objective.quotients(totals, list(counts))[self.place]
        loss = self.objective.of_quotients(self.objective.quotients(totals, list(counts)))[LOSS]
        if parts == 1:
            return loss
        nothing = self.objective.of_quotients([torch.zeros_like(t) for t in totals])[LOSS]
        return loss - nothing * (1 - 1 / parts)

    def synchronised(self, last: bool) -> AbstractContextManager[Any]:
        if self.ranks.world == 1:
            return nullcontext()
        from .parallel import synchronised

        return synchronised(self.objective.of_totals, last)

    def _clip(self) -> None:
        if self.recipe.clip_value is not None:
            nn.utils.clip_grad_value_(self.trained, self.recipe.clip_value)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.trained, self.recipe.clip_norm)


def seed_generators(seed: int, step: int, ranks: Ranks) -> None:
    """What a step draws (dropout) depends on the seed, the number of the step, and the process."""
    words = [seed, step] if ranks.rank == 0 else [seed, step, ranks.rank]
    number = int(np.random.SeedSequence(words).generate_state(1, np.uint64)[0]) % 2**63
    torch.default_generator.manual_seed(number)  # torch.manual_seed takes a hundred times as long
    if ranks.device.type == "cuda":
        torch.cuda.manual_seed(number)
