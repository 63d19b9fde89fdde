"""The steps of a training.

In: an objective, columns of data, a recipe, and the folder of the run. Out: the results of the last validation, and what is in the folder.
Always: a step's gradient is that of its whole batch, in however many parts it is computed; a checkpoint and the number of its step are all
that decides what follows.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple, NoReturn

import torch
from torch import Tensor, nn

from netc.compiler.errors.run_errors import BatchRefused, BatchTooSmall, LossNotFinite, RunError
from netc.dsl.record import Record
from netc.dsl.source import Span

from ..errors import CompileError
from ..files.file_problems import diagnostic
from . import cautions
from .batches import Batches, Draws, Part, as_tensors
from .checkpoints import Checkpoints, Trained, whole_tensors
from .data.data_columns import InputColumns
from .data.data_source import Indices
from .engine import Engine
from .locate_refusal import REFUSALS, find_refusing, is_of_machine
from .mixed_precision import Precision
from .not_finite import find
from .objective import Objective
from .optimizers import make_schedule
from .parallel import arrange, computing, release
from .ranks import Ranks
from .recipe import Recipe
from .run_files import BEST, LAST
from .run_folder import RunFolder
from .source.clauses import Machine
from .step import NotFinite, StepHooks
from .stop_signals import Interrupted, StopRequest
from .tally import Tally, numbers

BETWEEN_SAVES = 10.0
"""Epochs that are shorter than this many seconds do not each end with a checkpoint."""


class NotFiniteLoss(CompileError):
    """The loss is NaN or infinite, at this step: `diagnostics` has the first stage whose output is not finite."""

    def __init__(self, problem: LossNotFinite, span: Span) -> None:
        super().__init__((diagnostic(problem, span),))
        self.step = problem.step


class RefusedBatch(CompileError):
    """PyTorch refuses to compute a stage for the values of a batch of this process; others may have other values."""


class StoppedValidation(Exception):
    """The process was asked to stop during a validation."""


class Average(NamedTuple):
    """The averaged parameters, as the file of the section moves them."""

    tensors: dict[str, Tensor]

    def state_dict(self) -> dict[str, Tensor]:
        return self.tensors


class Report(Record):
    """What is known after a step: the results of the training batches since the last report, or of a validation. `steps` is the number of
    all steps of the run."""

    step: int
    epoch: float
    results: dict[str, float]
    learning_rate: float
    validation: bool = False
    samples: int = 0
    steps: int = 0


class Plan(Record):
    """The numbers of a training: `steps` in total, `every` how many steps there is a report."""

    steps: int
    per_epoch: int
    every: int


def plan(recipe: Recipe, samples: int) -> Plan:
    per_epoch = -(-samples // recipe.batch)
    steps = recipe.steps_on(samples)
    return Plan(steps, per_epoch, max(1, min(per_epoch, steps // 100 or 1, 100)))


class Trainer:
    """One training, in this process and perhaps others. `on_report` gets each report, in the first process."""

    def __init__(
        self,
        objective: Objective,
        recipe: Recipe,
        data: tuple[InputColumns, Indices],
        validation: tuple[InputColumns, Indices] | None,
        folder: RunFolder,
        on_report: Callable[[Report], None],
        engine: Engine | None = None,
        ranks: Ranks | None = None,
    ) -> None:
        engine, ranks = engine or Engine(), ranks or Ranks()
        self.objective, self.recipe, self.validation = objective.to(ranks.device), recipe, validation
        self.folder, self.on_report, self.engine, self.ranks = folder, on_report, engine, ranks
        objective.execute(Machine(ranks.device.type, ranks.replicas, ranks.replica, ranks.tensor))
        self.batches = Batches(data, recipe, ranks, objective.file)
        self.plan = plan(recipe, len(data[1]))
        self.shapes = {name: value.shape for name, value in objective.model.state_dict().items()}
        """Those of the spec; layers that several processes share may have others."""
        self.checkpoints = Checkpoints(folder.path, ranks)
        self.notes = [*cautions.notes(recipe, self.plan.steps, data[0]), *self._arrange(lambda: self._example(data))]
        """What is probably not meant, and what of the engine's wishes was not possible."""
        optimizer = objective.optimizer()
        self.precision = Precision(engine.precision, ranks.device)
        self.schedule = make_schedule(objective.file, optimizer, recipe, self.plan.steps)
        self.machine = StepHooks(objective, self.precision, ranks)
        objective.file.define(run=self.machine, compute_totals=self.machine.wrap_totals(objective.file.compute_totals))
        average = None if recipe.ema is None else {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.trained = Trained(self.model, optimizer, average)
        self.step = 0
        self.best, self.best_step = -math.inf if recipe.keep.higher else math.inf, 0
        self.tally, self.epoch_tally = Tally(), Tally()
        self.results: dict[str, float] = {}
        self.validated: Part = {}
        """The newest part of the validation samples."""
        self.unsaved_best: dict[str, Tensor] | None = None
        self.saved = -math.inf
        """When the last checkpoint was written, in seconds of the monotonic clock."""
        self.epoch_ends = False
        """Whether the epoch's last step was made, but not what follows it."""

    def _arrange(self, example: Callable[[], Part]) -> list[str]:
        """Divides the work among the processes, which may need to compute an example; what of the engine's wishes was not possible."""
        try:
            return list(arrange(self.objective, self.engine, self.ranks, example))
        except (RunError, CompileError):
            raise
        except REFUSALS as error:
            self._refuse(error, [example()], "the first samples")
            raise

    def _example(self, data: tuple[InputColumns, Indices]) -> Part:
        """A batch of two samples, or of one if there is only one."""
        few = data[1][:2]
        return as_tensors(data[0].read_batch(few), self.ranks.device) | Draws(self.objective.file, data[0]).batch(0, len(few))

    @property
    def average(self) -> Average | None:
        """The averaged parameters, if there are any."""
        return None if self.trained.average is None else Average(self.trained.average)

    @property
    def model(self) -> nn.Module:
        return self.objective.model

    @property
    def epoch(self) -> float:
        return self.step / self.plan.per_epoch

    @property
    def learning_rate(self) -> float:
        return float(self.trained.optimizer.param_groups[0]["lr"])

    @property
    def remark(self) -> str:
        """A remark if the results are not from the best weights, or if they are means over several steps; empty otherwise."""
        if self.validation is None:
            since = (self.step - 1) % self.plan.per_epoch + 1  # the beginning of the epoch
            return f"the mean over the last {since} steps" if since > 1 else ""
        if not self.best_step or self.results[self.recipe.keep.metric] == self.best:
            return ""
        return f"the best {self.recipe.keep.metric} was {self.best:.4g}, at step {self.best_step}"

    def run(self) -> dict[str, float]:
        """The steps that are left; the results of the last validation, or of training without one. Raises `NotFiniteLoss`, and
        `Interrupted` after a signal."""
        self.objective.train()
        with StopRequest() as request, closing(self.batches.steps(self.step, self.plan.steps)) as batches:
            try:
                self._steps(batches, request)
            finally:
                if self.ranks.first:
                    self.folder.flush()
        return self.results

    def close(self) -> None:
        """Gives back what is shared with other processes, before they part."""
        release(self.objective)

    def _steps(self, batches: Iterable[tuple[list[Part], int]], request: StopRequest) -> None:
        if self.epoch_ends:
            self._end_of_epoch(request)
        every = self.engine.checkpoint_every
        for parts, samples in batches:
            stop = self._step(parts, samples, bool(request.number))
            if self.epoch_ends or self.step % self.plan.every == 0:
                self._report()
            if stop or (every is not None and self.step % every == 0):
                self.save()
            if stop:
                self._stop(request)
            if self.epoch_ends:
                self._end_of_epoch(request)

    def _step(self, parts: list[Part], samples: int, stop: bool) -> bool:
        """One step; whether a process was asked to stop."""
        self.machine.stop = stop
        try:
            totals, counts = self.objective.file.train_step(
                self.objective.module,
                self.trained.optimizer,
                self.schedule,
                self.average,
                parts if self.recipe.accumulate > 1 else parts[0],
                self.step,
            )
        except NotFinite as failure:
            self._not_finite(failure.value, parts)
        except REFUSALS as error:
            smallest = min(len(next(iter(part.values()))) for part in parts)
            if smallest <= 1 and "more than 1 value per channel" in str(error):
                raise RunError(BatchTooSmall(self.step + 1, smallest)) from None
            self._refuse(error, parts, f"the batch of step {self.step + 1}")
            raise
        self.tally.add(totals, numbers(counts), samples)
        self.step += 1
        self.epoch_ends = self.step % self.plan.per_epoch == 0 or self.step == self.plan.steps
        return self.machine.stop

    def _report(self) -> None:
        self._tell(self._results(self.tally), self.tally.samples)
        self.epoch_tally.merge(self.tally)
        self.tally = Tally()

    def _results(self, tally: Tally) -> dict[str, float]:
        totals = [torch.tensor(total, dtype=torch.float64, device=self.ranks.device) for total in tally.totals]
        return {name: value.item() for name, value in self.objective.file.compute_metrics(totals, tally.counts).items()}

    def _tell(self, results: dict[str, float], samples: int, validation: bool = False) -> None:
        if not self.ranks.first:
            return
        entry: dict[str, Any] = {"step": self.step, "epoch": round(self.epoch, 4)}
        self.folder.log(entry | ({"validation": results} if validation else {"lr": self.learning_rate, **results}))
        self.on_report(Report(self.step, self.epoch, results, self.learning_rate, validation, samples, self.plan.steps))

    def _end_of_epoch(self, request: StopRequest) -> None:
        """Validates, notes the best weights, and saves; nothing that follows depends on whether it does."""
        if self.validation is None:
            self.results = self._results(self.epoch_tally)
        elif not self._validate(request):
            self.save()
            self._stop(request)
        self.epoch_tally, self.epoch_ends = Tally(), False
        value = self.results[self.recipe.keep.metric]
        if self.objective.file.has("end_epoch"):
            self.objective.file.end_epoch(self.schedule, self.results)
        due = self.ranks.world > 1 or self.step == self.plan.steps or time.monotonic() > self.saved + BETWEEN_SAVES
        if value > self.best if self.recipe.keep.higher else value < self.best:
            self.best, self.best_step = value, self.step
            weights = whole_tensors(self.weights, self.shapes)
            self.unsaved_best = weights if due else {name: tensor.clone() for name, tensor in weights.items()}
        if due:
            self.save()

    @property
    def weights(self) -> dict[str, Tensor]:
        """Those of the model, or their average if there is one."""
        return self.model.state_dict() if self.trained.average is None else self.trained.average

    def _validate(self, request: StopRequest) -> bool:
        """Validates and reports; False if a process was asked to stop meanwhile."""
        with self._averaged(), torch.no_grad(), computing(self.ranks):
            try:
                results = self.objective.file.evaluate(self.objective.module, self._unless_stopped(request))
            except StoppedValidation:
                return False
            except REFUSALS as error:
                self._refuse(error, [self.validated], f"the validation after step {self.step}")
                raise
            finally:
                self.objective.train()
        if self.ranks.any(bool(request.number)):
            return False
        self.results = results
        self._tell(self.results, 0, validation=True)
        return True

    def _unless_stopped(self, request: StopRequest) -> Iterator[Part]:
        """The parts of the validation samples, until the process is asked to stop. Several processes go on to the end together."""
        assert self.validation is not None
        for part in self.batches.validation(self.validation):
            self.validated = part
            yield part
            if self.ranks.world == 1 and request.number:
                raise StoppedValidation

    @contextmanager
    def _averaged(self) -> Iterator[None]:
        """The model has the averaged parameters, if there are any."""
        if self.trained.average is None:
            yield
            return
        own = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.trained.average)
        try:
            yield
        finally:
            self.model.load_state_dict(own)

    def _stop(self, request: StopRequest) -> None:
        raise Interrupted(str(self.folder.path), self.step, 128 + (request.number or 15))

    def _not_finite(self, value: float, parts: list[Part]) -> NoReturn:
        """Looks for the first stage whose output is not finite, in the forward pass that has just been made."""
        weights = whole_tensors(self.model.state_dict(), self.shapes)
        self.objective.file.seed_step(self.step)
        places = self.ranks.gathered(next((p for part in parts if (p := find(self.objective, weights, part)) is not None), None))
        place = next((p for p in places if p is not None), None)
        span = self.objective.training_section.loss_span if place is None else place.span
        problem = LossNotFinite(
            step=self.step + 1,
            value="NaN" if math.isnan(value) else "infinite",
            stage="the output of every stage is finite" if place is None else place.what,
            checkpoint=self.checkpoints.step,
            remedy="try a smaller learning rate, or limit the gradient by `clip 1.0`",
        )
        raise NotFiniteLoss(problem, span)

    def _refuse(self, error: Exception, parts: list[Part], batch: str) -> None:
        """Raises a `CompileError` at the stage that raises this error for one of the parts. Returns if no stage does. Where several
        processes share the parameters, the stage is not looked for: the other processes would have to give their shares."""
        why = str(error).partition("\n")[0]
        if self.ranks.world > 1 and (self.engine.strategy == "fsdp" or self.engine.tp > 1):
            if is_of_machine(error):
                return
            span = self.objective.training_section.loss_span
            raise RefusedBatch((diagnostic(BatchRefused(None, batch, why, self.checkpoints.step), span),)) from None
        weights = self.model.state_dict()
        for part in parts:
            place = find_refusing(self.objective, weights, part, error)
            if place is not None:
                raise RefusedBatch((diagnostic(BatchRefused(place.what, batch, why, self.checkpoints.step), place.span),)) from None

    def save(self) -> None:
        """The weights, and a checkpoint."""
        last = whole_tensors(self.weights, self.shapes)
        if self.ranks.first:
            self.folder.flush()
            if self.unsaved_best is not None:
                self.folder.save_weights(BEST, self.unsaved_best)
            self.folder.save_weights(LAST, last)
        self.unsaved_best = None
        progress = {
            "step": self.step,
            "epoch_ends": self.epoch_ends,
            "best": self.best,
            "best_step": self.best_step,
            "results": self.results,
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "scaler": self.precision.state(),
            "tally": self.tally.state(),
            "epoch_tally": self.epoch_tally.state(),
        }
        self.checkpoints.save(progress, self.trained)
        self.saved = time.monotonic()

    def resume(self) -> None:
        """Goes on from the newest checkpoint of the folder. Raises `RunError`."""
        state = self.checkpoints.load(self.trained)
        self.step, self.best = int(state["step"]), float(state["best"])
        self.best_step = int(state.get("best_step", 0))
        self.epoch_ends, self.results = bool(state["epoch_ends"]), dict(state["results"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.precision.load(state["scaler"])
        self.tally.load(state["tally"])
        self.epoch_tally.load(state["epoch_tally"])
        self.ranks.once(lambda: self.folder.cut_metrics(self.step, with_validation=not self.epoch_ends))
