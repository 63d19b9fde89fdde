"""One step: the gradient of the whole batch, and the update.

In: the parts of a batch. Out: its totals and counts. Always: the gradient is that of the loss of the whole batch, in however many parts and
on however many processes it is computed: the counts are summed before the first backward pass. If the loss is not finite, nothing is
changed.
"""

from __future__ import annotations

import math
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from netc.compiler.errors.training import NothingTrained
from netc.compiler.ir.training import LOSS

from ..errors import CompileError
from ..problems import diagnostic
from .batches import Part
from .objective import Objective
from .optimizers import Schedule
from .precision import Precision
from .ranks import Ranks
from .recipe import Recipe
from .tally import numbers


class NotFinite(Exception):
    """The loss of this batch is NaN or infinite."""

    def __init__(self, value: float) -> None:
        super().__init__(str(value))
        self.value = value


class Found(NamedTuple):
    """What a step has summed over its batch, on all processes. `stop`: one of them was asked to stop."""

    totals: list[float]
    counts: list[float]
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
        self.totals, self.replicas = precision.computed(objective.totals), ranks.replicas
        self.trained = [p for group in optimizer.param_groups for p in group["params"]]
        self.place = objective.names.index(LOSS)
        self.plain = objective.of_means is None
        """Whether the loss is one of the totals, divided by its count."""
        self.draws: bool | None = None if ranks.device.type == "cpu" else True
        """Whether a step draws numbers at random, None before it is known. To seed a generator takes a small model noticeable time."""

    def make(self, number: int, parts: list[Part], stop: bool) -> Found:
        """The step with this number. Raises `NotFinite`."""
        if self.draws is not False:
            seed_generators(self.recipe.seed, number, self.ranks)
        seeded = torch.default_generator.get_state() if self.draws is None else None
        counts, stop = self._counts(parts, stop)
        for parameter in self.trained:
            parameter.grad = None
        totals, loss = self._gradient(parts, self.objective.divisors(counts))
        if seeded is not None and all(len(next(iter(part.values()))) for part in parts):  # nothing is drawn for no samples
            self.draws = not torch.equal(seeded, torch.default_generator.get_state())
        *totals, loss = self.summed([*totals, loss])
        if not math.isfinite(loss):
            raise NotFinite(loss)
        self.precision.update(self.optimizer, self._clip)
        if self.schedule is not None and not isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step()
        return Found(totals, counts, stop)

    def summed(self, values: list[float]) -> list[float]:
        """The sums over all processes."""
        if self.ranks.world == 1:
            return values
        summed = torch.tensor(values, dtype=torch.float64, device=self.ranks.device)
        return self.ranks.sum(summed).tolist()

    def end_epoch(self, value: float) -> None:
        """What the metric is that decides about the best weights: `reduce_lr_on_plateau` waits for a better one."""
        if isinstance(self.schedule, ReduceLROnPlateau):
            self.schedule.step(value)

    def _counts(self, parts: list[Part], stop: bool) -> tuple[list[float], bool]:
        """What the totals of the whole batch are divided by, and whether any process stops."""
        counts = self.objective.count_values(parts[0])
        for part in parts[1:]:
            counts = [a + b for a, b in zip(counts, self.objective.count_values(part), strict=True)]
        if self.ranks.world == 1:
            return counts, stop
        *counts, stopped = self.summed([*counts, float(stop)])
        return counts, bool(stopped)

    def _gradient(self, parts: list[Part], counts: list[float]) -> tuple[list[float], float]:
        """Adds the gradients of all parts; the totals, and the loss as far as it is of this process."""
        if len(parts) == 1 and self.ranks.world == 1:
            return self._of_part(parts[0], counts, 1)
        totals, loss = [0.0] * len(counts), 0.0
        for index, part in enumerate(parts):
            with self.synchronised(index == len(parts) - 1):
                values, own = self._of_part(part, counts, len(parts) * self.replicas)
            totals, loss = [a + b for a, b in zip(totals, values, strict=True)], loss + own
        return totals, loss

    def _of_part(self, part: Part, counts: list[float], parts: int) -> tuple[list[float], float]:
        """Adds the gradient of one of all parts; its totals, and what it adds to the loss."""
        found = self.totals(part)
        # Replicas average their gradients, and the gradient is the sum of theirs: so each takes it times their number.
        count = counts[self.place]
        if self.plain and count:
            self._backward(found[self.place], self.replicas / count)
            values = numbers(found)
            return values, values[self.place] / count
        term = self.objective.loss_of_part(self.objective.part_terms(found, counts), parts)
        self._backward(term, float(self.replicas))
        return numbers(found), term.item()

    def _backward(self, value: Tensor, scale: float) -> None:
        if not value.requires_grad:  # freezing, or a stage without a gradient
            place = self.objective.training_section.loss_span
            raise CompileError((diagnostic(NothingTrained("the loss depends on no parameter that is trained"), place),))
        self.precision.backward(value, scale)

    def synchronised(self, last: bool) -> AbstractContextManager[Any]:
        if self.ranks.world == 1:
            return nullcontext()
        from .parallel import synchronised

        return synchronised(self.objective.of_totals, last, self.ranks)

    def _clip(self) -> None:
        if self.recipe.clip_value is not None:
            nn.utils.clip_grad_value_(self.trained, self.recipe.clip_value)
        if self.recipe.clip_norm is None:
            return
        if self.ranks.tensor == 1:
            nn.utils.clip_grad_norm_(self.trained, self.recipe.clip_norm)
        else:
            from .tensor_parallel import clip_norm

            clip_norm(self.trained, self.recipe.clip_norm)


def seed_generators(seed: int, step: int, ranks: Ranks) -> None:
    """What a step draws (dropout) depends on the seed, the number of the step, and the replica."""
    words = f"{seed} {step}" if ranks.replica == 0 else f"{seed} {step} {ranks.replica}"
    number = int.from_bytes(blake2b(words.encode(), digest_size=8).digest(), "little") >> 1
    torch.default_generator.manual_seed(number)  # torch.manual_seed takes a hundred times as long
    if ranks.device.type == "cuda":
        torch.cuda.manual_seed(number)
