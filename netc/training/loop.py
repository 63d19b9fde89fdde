"""The steps of a training.

In: an objective, columns of data, a recipe, and the folder of the run. Out: the results of the last validation, and what is in the folder.
Always: a step's gradient is that of its whole batch, in however many parts it is computed; a checkpoint and the number of its step are all
that decides what follows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from netc.compiler.ir.training import LOSS
from netc.dsl.record import Record

from .data.columns import Columns
from .objective import Objective
from .optimizers import make_optimizer, make_schedule
from .order import Indices, Order
from .recipe import Recipe
from .run_folder import BEST, LAST, RunFolder


class NotFiniteLoss(Exception):
    """The loss is NaN or infinite, at this step."""

    def __init__(self, step: int, value: float, where: str) -> None:
        super().__init__(f"the loss is {value} at step {step}")
        self.step = step
        self.value = value
        self.where = where


class Report(Record):
    """What is known after a step: the results of the training batches since the last report, or of a validation."""

    step: int
    epoch: float
    results: dict[str, float]
    learning_rate: float
    validation: bool = False
    samples: int = 0


class Plan(Record):
    """The numbers of a training: `steps` in total, `every` how many steps there is a report."""

    steps: int
    per_epoch: int
    every: int


def plan(recipe: Recipe, samples: int) -> Plan:
    per_epoch = -(-samples // recipe.batch)
    steps = recipe.steps if recipe.steps is not None else recipe.epochs * per_epoch
    return Plan(steps, per_epoch, max(1, min(per_epoch, steps // 100 or 1, 100)))


class Trainer:
    """One training on one device. `told` gets each report."""

    def __init__(
        self,
        objective: Objective,
        recipe: Recipe,
        data: tuple[Columns, Indices],
        validation: tuple[Columns, Indices] | None,
        folder: RunFolder,
        device: str,
        told: Callable[[Report], None],
    ) -> None:
        self.objective, self.recipe, self.data, self.validation = objective.to(device), recipe, data, validation
        self.folder, self.device, self.told = folder, torch.device(device), told
        self.order = Order(len(data[1]), recipe.batch, recipe.seed)
        self.plan = plan(recipe, len(data[1]))
        self.optimizer = make_optimizer(self.model, recipe)
        self.schedule = make_schedule(self.optimizer, recipe, self.plan.steps)
        self.step = 0
        self.best = -math.inf if recipe.keep.higher else math.inf
        self.average = None if recipe.ema is None else {k: v.detach().clone() for k, v in self.model.state_dict().items()}

    @property
    def model(self) -> nn.Module:
        return self.objective.model

    def run(self) -> dict[str, float]:
        """The steps that are left; the results of the last validation, or of training without one."""
        totals, counts, samples, last = None, None, 0, dict[str, float]()
        self.objective.train()
        while self.step < self.plan.steps:
            found = self._step()
            totals = found[0] if totals is None else [a + b for a, b in zip(totals, found[0], strict=True)]
            counts = found[1] if counts is None else [a + b for a, b in zip(counts, found[1], strict=True)]
            samples += found[2]
            ends = self.step % self.plan.per_epoch == 0 or self.step == self.plan.steps
            if ends or self.step % self.plan.every == 0:
                results = self._results(totals, counts)
                self._check(results[LOSS])
                self._tell(Report(self.step, self.epoch, results, self.optimizer.param_groups[0]["lr"], samples=samples))
                totals, counts, samples, last = None, None, 0, results
            if ends:
                last = self._end_of_epoch(last)
        return last

    @property
    def epoch(self) -> float:
        return self.step / self.plan.per_epoch

    def _step(self) -> tuple[list[Tensor], list[Tensor], int]:
        """One step: the totals and counts of its batch, and the number of samples."""
        columns, indices = self.data
        chosen = indices[self.order.step(self.step)]
        parts = [self._tensors(columns, part) for part in np.array_split(chosen, min(self.recipe.accumulate, len(chosen)))]
        self._seed()
        counted = [self.objective.counts(part) for part in parts]
        counts = [torch.stack(several).sum() for several in zip(*counted, strict=True)]
        self.optimizer.zero_grad(set_to_none=True)
        totals: list[Tensor] | None = None
        for part in parts:
            found = self.objective.totals(part)
            self._loss(found, counts, len(parts)).backward()  # type: ignore[no-untyped-call]
            found = [t.detach().double() for t in found]
            totals = found if totals is None else [a + b for a, b in zip(totals, found, strict=True)]
        self._clip()
        self.optimizer.step()
        if self.schedule is not None:
            self.schedule.step()
        self.step += 1
        self._follow()
        assert totals is not None
        return totals, counts, len(chosen)

    def _loss(self, totals: list[Tensor], counts: list[Tensor], parts: int) -> Tensor:
        """What a part adds to the loss: terms that are the same for all samples are added once."""
        loss = self.objective.of_quotients(self.objective.quotients(totals, counts))[LOSS]
        if parts == 1 or self.objective.of_means is None:
            return loss
        nothing = self.objective.of_quotients([torch.zeros_like(t) for t in totals])[LOSS]
        return loss - nothing * (1 - 1 / parts)

    def _tensors(self, columns: Columns, indices: Indices) -> dict[str, Tensor]:
        return {name: torch.from_numpy(array).to(self.device) for name, array in columns.batch(indices).items()}

    def _seed(self) -> None:
        """What a step draws (dropout) depends on seed and step alone."""
        number = int(np.random.SeedSequence([self.recipe.seed, self.step]).generate_state(1, np.uint64)[0]) % 2**63
        torch.default_generator.manual_seed(number)
        if self.device.type == "cuda":
            torch.cuda.manual_seed(number)

    def _clip(self) -> None:
        trained = [p for group in self.optimizer.param_groups for p in group["params"]]
        if self.recipe.clip_value is not None:
            nn.utils.clip_grad_value_(trained, self.recipe.clip_value)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(trained, self.recipe.clip_norm)

    @torch.no_grad()
    def _follow(self) -> None:
        """Moves the averaged parameters."""
        if self.average is None or self.recipe.ema is None:
            return
        for name, value in self.model.state_dict().items():
            kept = self.average[name]
            if kept.is_floating_point():
                kept.lerp_(value, 1 - self.recipe.ema)
            else:
                kept.copy_(value)

    @torch.no_grad()
    def _results(self, totals: list[Tensor], counts: list[Tensor]) -> dict[str, float]:
        return {name: float(value) for name, value in self.objective.results([t.float() for t in totals], counts).items()}

    def _check(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise NotFiniteLoss(self.step, loss, "")

    def _tell(self, report: Report) -> None:
        entry: dict[str, Any] = {"step": report.step, "epoch": round(report.epoch, 4)}
        if report.validation:
            entry["validation"] = report.results
        else:
            entry |= {"lr": report.learning_rate, **report.results}
        self.folder.log(entry)
        self.told(report)

    def _end_of_epoch(self, last: dict[str, float]) -> dict[str, float]:
        weights = self.average if self.average is not None else self.model.state_dict()
        if self.validation is not None:
            last = self.validate(weights)
            self._tell(Report(self.step, self.epoch, last, self.optimizer.param_groups[0]["lr"], validation=True))
        value = last[self.recipe.keep.metric]
        if value > self.best if self.recipe.keep.higher else value < self.best:
            self.best = value
            self.folder.save_weights(BEST, weights)
        self.folder.save_weights(LAST, weights)
        self.save()
        return last

    @torch.no_grad()
    def validate(self, weights: dict[str, Tensor]) -> dict[str, float]:
        """Loss and metrics over all validation samples, in evaluation mode, with these weights."""
        assert self.validation is not None
        own = None
        if self.average is not None:
            own = {k: v.clone() for k, v in self.model.state_dict().items()}
            self.model.load_state_dict(weights)
        self.objective.eval()
        totals, counts = None, None
        for part in self._validation_parts():
            found, number = [t.double() for t in self.objective.totals(part)], self.objective.counts(part)
            totals = found if totals is None else [a + b for a, b in zip(totals, found, strict=True)]
            counts = number if counts is None else [a + b for a, b in zip(counts, number, strict=True)]
        self.objective.train()
        if own is not None:
            self.model.load_state_dict(own)
        assert totals is not None
        assert counts is not None
        return self._results(totals, counts)

    def _validation_parts(self) -> Iterator[dict[str, Tensor]]:
        assert self.validation is not None
        columns, indices = self.validation
        size = max(1, -(-self.recipe.batch // self.recipe.accumulate))
        for start in range(0, len(indices), size):
            yield self._tensors(columns, indices[start : start + size])

    def save(self) -> None:
        """A checkpoint."""
        state = {
            "step": self.step,
            "best": self.best,
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "average": self.average,
        }
        self.folder.save_checkpoint(state)

    def resume(self, state: dict[str, Any]) -> None:
        """Goes on from a checkpoint."""
        self.step, self.best = int(state["step"]), float(state["best"])
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        if self.average is not None:
            self.average = {k: v.to(self.device) for k, v in state["average"].items()}
        self.folder.cut_metrics(self.step)
