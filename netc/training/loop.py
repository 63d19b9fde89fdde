"""The training loop.

In: an objective, columns of data, a recipe, and the folder of the run. Out: the results of the last validation, and the files in the
folder. Always: a step's gradient is the gradient of its whole batch, for any number of micro-batches. Everything after a checkpoint
depends only on the checkpoint, so a resumed run computes the same.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import NoReturn

import torch
from torch import Tensor, nn

from netc.compiler.errors.run_errors import BatchTooSmall, RunError

from ..errors import CompileError
from . import cautions
from .batches import BatchLoader, InputSampler, MicroBatch, arrays_to_tensors, move_tensors
from .best_result import BestResult
from .checkpoints import CheckpointStore, TrainingState, gather_tensors
from .data.data_columns import InputColumns
from .data.data_source import Indices
from .engine import Engine
from .failure_locator import FailureLocator
from .locate_refusal import REFUSALS
from .measured_outputs import OutputRecorder
from .mixed_precision import Precision
from .objective import Objective
from .optimizers import make_schedule
from .parallel import computation_context, parallelize_objective, release_ddp
from .pipeline_parallel import find_pipeline
from .pipeline_state import PipelineState, align_groups, name_groups
from .ranks import Ranks
from .recipe import Recipe
from .run_files import BEST, LAST
from .run_folder import RunFolder
from .selected_parameters import select_parameters
from .source.clauses import Machine
from .step import NotFinite, StepHooks
from .step_plan import plan_steps
from .stop_signals import Interrupted, StopRequest
from .tally import Tally, to_numbers
from .training_failures import ValidationStopped
from .training_report import Report

MIN_SAVE_INTERVAL = 10.0
"""The seconds between two checkpoints at the ends of epochs. Otherwise a run with epochs of milliseconds would mostly write files."""


class Trainer:
    """One run, in this process and perhaps others. `on_report` receives each report, in the first process."""

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
        is_new: bool = True,
    ) -> None:
        engine, ranks = engine or Engine(), ranks or Ranks()
        self.objective, self.recipe, self.validation = objective.to(ranks.device), recipe, validation
        self.folder, self.on_report, self.engine, self.ranks = folder, on_report, engine, ranks
        # replicas and stages draw other numbers
        drawing = ranks.replica * ranks.pipeline + ranks.stage
        shared = ranks.tensor * ranks.pipeline
        objective.execute_file(Machine(ranks.device.type, ranks.replicas, drawing, shared, ranks.pipeline > 1, engine.compile))
        self.batches = BatchLoader(data, recipe, ranks, objective.file)
        self.checkpoints = CheckpointStore(folder.path, ranks)
        self.failures = FailureLocator(objective, engine, ranks, self.checkpoints)
        self.last_micro_batch: MicroBatch = {}
        """The micro-batch that a validation computes, for messages."""
        self.plan = plan_steps(recipe, len(data[1]))
        # a resumed run has the means and deviations in its checkpoint
        if is_new and objective.file.has_function("fit_standardize"):
            self._fit_standardize(data)
        self.shapes = {name: value.shape for name, value in objective.model.state_dict().items()}
        """The shapes of the spec. Layers that several processes share may have other shapes, which files must not show."""
        groups = name_groups(objective.model, objective.optimizer()) if ranks.pipeline > 1 else ()
        self.notes = [
            *cautions.collect_notes(recipe, self.plan.steps, data[0]),
            *cautions.find_shared_shards(data[0], recipe.batch, ranks.replicas),
            *self._parallelize_objective(lambda: self._make_example(data)),
        ]
        """Notes on probable mistakes, and on options that could not be applied."""
        optimizer, pipeline = objective.optimizer(), find_pipeline(objective)
        if pipeline is not None:
            align_groups(objective.model, optimizer, pipeline, groups)
        self.precision = Precision(engine.precision, ranks.device)
        self.schedule = make_schedule(objective.file, optimizer, recipe, self.plan.steps)
        self.step_hooks = StepHooks(objective, self.precision, ranks)
        self.parameters = select_parameters(objective.file, self.model, is_new)
        self._wrap_file()
        average = None if recipe.ema is None else {k: v.detach().clone() for k, v in self.model.state_dict().items()}
        self.state = TrainingState(self.model, optimizer, average, ranks.world == 1 or bool(recipe.minimized))
        if pipeline is not None:
            self.state = PipelineState(self.model, optimizer, average, pipeline, groups, self.shapes)
        self.step = 0
        self.best = BestResult(recipe, objective.file)
        self.tally, self.epoch_tally = Tally(), Tally()
        self.results: dict[str, float] = {}
        self.unsaved_best: dict[str, Tensor] | None = None
        self.saved = -math.inf  # so that the first epoch's end saves one
        """The time of the last checkpoint, in seconds of the monotonic clock."""
        self.is_epoch_end = False
        """Whether the epoch's last step is done, but not its validation yet."""

    def _wrap_file(self) -> None:
        """Let the functions of the file compute in the precision and with the processes of this run."""
        file, wrap_totals = self.objective.file, self.step_hooks.wrap_totals
        file.define_names(run=self.step_hooks, compute_totals=wrap_totals(file.compute_totals))
        if file.has_function("TOTALS"):
            file.define_names(TOTALS={loss: wrap_totals(totals) for loss, totals in file.names["TOTALS"].items()})

    def _fit_standardize(self, data: tuple[InputColumns, Indices]) -> None:
        """Measure means and deviations on all training samples, in each process: the model is not distributed yet."""
        loader = BatchLoader(data, self.recipe, Ranks(device=self.ranks.device), self.objective.file)

        def iterate_samples() -> Iterator[MicroBatch]:
            varied = self._compute_varied_inputs(0)
            for samples in loader.iterate_validation(data):
                self.last_micro_batch = samples | varied
                yield self.last_micro_batch

        try:
            self.objective.file.fit_standardize(self.objective.model, iterate_samples)
        except REFUSALS as error:
            self.failures.raise_if_located(error, [self.last_micro_batch], "the first pass over the training samples")
            raise

    def _parallelize_objective(self, example: Callable[[], MicroBatch]) -> list[str]:
        """Divide the work among the processes, which may need to compute an example. Return notes on options that could not be applied."""
        try:
            return list(parallelize_objective(self.objective, self.engine, self.ranks, example))
        except (RunError, CompileError):
            raise
        except REFUSALS as error:
            self.failures.raise_if_located(error, [example()], "the first samples")
            raise

    def _make_example(self, data: tuple[InputColumns, Indices]) -> MicroBatch:
        """Make a batch of two samples, or of one if there is only one."""
        few = data[1][:2]
        drawn = InputSampler(self.objective.file, data[0]).draw_batch(0, len(few))
        tensors = arrays_to_tensors(data[0].read_batch(few) | data[0].constants, self.ranks.device)
        return tensors | drawn | self._compute_varied_inputs(0)

    def _gather(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the full tensors of the whole model, in each process."""
        return self.state.gather(tensors) if isinstance(self.state, PipelineState) else gather_tensors(tensors, self.shapes)

    @property
    def model(self) -> nn.Module:
        return self.objective.model

    @property
    def is_divided(self) -> bool:
        """Whether the steps of some loss compute less than the whole model."""
        return self.objective.file.has_function("summarize_steps")

    @property
    def epoch(self) -> float:
        return self.step / self.plan.per_epoch

    @property
    def learning_rate(self) -> float:
        return float(self.state.optimizer.param_groups[0]["lr"])

    @property
    def remark(self) -> str:
        """A remark if the run stopped early, if the results are not from the best weights, or if they are means over several steps."""
        if self.validation is None:
            steps_in_epoch = (self.step - 1) % self.plan.per_epoch + 1
            if self.is_divided:
                return f"each the mean over the last {steps_in_epoch} steps, as far as they compute it" if steps_in_epoch > 1 else ""
            return f"the mean over the last {steps_in_epoch} steps" if steps_in_epoch > 1 else ""
        return self.best.describe(self.results[self.recipe.keep.metric], self.step, self.plan.steps)

    def run_training(self) -> dict[str, float]:
        """Run the remaining steps. Return the results of the last validation, or of training without one. Raises `NotFiniteLoss`, and
        `Interrupted` after a signal."""
        self.objective.train()
        with StopRequest() as request, closing(self.batches.iterate_steps(self.step, self.plan.steps)) as batches:
            try:
                self._run_steps(batches, request)
            finally:
                if self.ranks.is_first:
                    self.folder.flush_metrics()
        return self.results

    def close(self) -> None:
        """Release the objects that other processes share, before the process group ends."""
        release_ddp(self.objective)

    def _run_steps(self, batches: Iterable[tuple[list[MicroBatch], int]], request: StopRequest) -> None:
        if self.is_epoch_end:
            self._end_epoch(request)
        if self.best.is_stalled:
            return
        every = self.engine.checkpoint_every
        for micro_batches, samples in batches:
            stop = self._run_step(micro_batches, samples, bool(request.number))
            if self.is_epoch_end or self.step % self.plan.report_every == 0:
                self._report_training()
            if stop or (every is not None and self.step % every == 0):
                self.save_checkpoint()
            if stop:
                self._raise_interrupted(request)
            if self.is_epoch_end:
                self._end_epoch(request)
            if self.best.is_stalled:
                return

    def _run_step(self, micro_batches: list[MicroBatch], samples: int, stop: bool) -> bool:
        """Run one step. Return whether a process was asked to stop."""
        self.step_hooks.stop = stop
        varied = self._compute_varied_inputs(self.step)
        micro_batches = [micro_batch | varied for micro_batch in micro_batches] if varied else micro_batches
        try:
            totals, counts = self.objective.file.train_step(
                self.objective.module,
                self.state.optimizer,
                self.schedule,
                self.state.averaged_module,
                # the file has a loop over micro-batches only if the section accumulates
                micro_batches if self.recipe.accumulate > 1 or self.ranks.pipeline > 1 else micro_batches[0],
                self.step,
                **self.parameters,
            )
        except NotFinite as failure:
            self.failures.raise_not_finite(failure.value, self.step, self._gather(self.model.state_dict()), micro_batches)
        except REFUSALS as error:
            smallest = min(len(next(iter(micro_batch.values()))) for micro_batch in micro_batches)
            # PyTorch's batch norm refuses a channel with a single value in training
            if smallest <= 1 and "more than 1 value per channel" in str(error):
                raise RunError(BatchTooSmall(self.step + 1, smallest)) from None
            self.failures.raise_if_located(error, micro_batches, f"the batch of step {self.step + 1}")
            raise
        loss = self.objective.file.select_loss(self.step) if self.is_divided else ""
        self.tally.add_step(loss, totals, to_numbers(counts), samples)
        self.step += 1
        self.is_epoch_end = self.step % self.plan.per_epoch == 0 or self.step == self.plan.steps
        return self.step_hooks.stop

    def _compute_varied_inputs(self, step: int) -> MicroBatch:
        """Compute the inputs that change with the step."""
        if not self.objective.file.has_function("vary_inputs"):
            return {}
        varied: MicroBatch = self.objective.file.vary_inputs(step, self.plan.steps, self.plan.per_epoch)
        return move_tensors(varied, self.ranks.device)

    def _report_training(self) -> None:
        self._publish_report(self.tally.compute_results(self.objective.file, self.ranks.device), self.tally.samples)
        self.epoch_tally.merge_tally(self.tally)
        self.tally = Tally()

    def _publish_report(self, results: dict[str, float], samples: int, validation: bool = False) -> None:
        if not self.ranks.is_first:
            return
        report = Report(self.step, self.epoch, results, self.learning_rate, validation, samples, self.plan.steps)
        self.folder.log_entry(report.to_entry())
        self.on_report(report)

    def _end_epoch(self, request: StopRequest) -> None:
        """Validate, keep the best weights, and save a checkpoint if one is due."""
        if self.validation is None:
            # A short epoch may have no step of some loss, whose last result then stays. It is no news for the schedule and `keep`.
            fresh = self.epoch_tally.compute_results(self.objective.file, self.ranks.device)
            self.results = self.results | fresh
        elif self._run_validation(request):
            fresh = self.results
        else:
            self.save_checkpoint()
            self._raise_interrupted(request)
        self.epoch_tally, self.is_epoch_end = Tally(), False
        is_best = self._follow_results(fresh)
        is_last = self.step == self.plan.steps or self.best.is_stalled
        # On several processes every epoch is due: their clocks differ, and all must save together.
        due = self.ranks.world > 1 or is_last or time.monotonic() > self.saved + MIN_SAVE_INTERVAL
        if is_best:
            weights = self._gather(self.weights)
            # Written together with the next checkpoint, so that a resumed run finds the best weights that its checkpoint knows.
            # A copy if steps follow first, because they change the weights in place.
            self.unsaved_best = weights if due else {name: tensor.clone() for name, tensor in weights.items()}
        if due:
            self.save_checkpoint()

    def _follow_results(self, fresh: dict[str, float]) -> bool:
        """Let the schedule and `keep` follow the results of an epoch. Return whether its weights are the best."""
        metric = self.recipe.keep.metric
        if metric not in fresh:  # no step of the epoch computed it
            return self.recipe.keep.is_last and self.best.add_result(math.nan, self.step)
        if self.objective.file.has_function("end_epoch"):
            self.objective.file.end_epoch(self.schedule, fresh)
        return self.best.add_result(fresh[metric], self.step)

    @property
    def weights(self) -> dict[str, Tensor]:
        """The weights of the model, or their average if there is one."""
        return self.model.state_dict() if self.state.average is None else self.state.average

    def _run_validation(self, request: StopRequest) -> bool:
        """Validate and report. Return False if a process was asked to stop meanwhile."""
        with self._use_average_weights(), torch.no_grad(), computation_context(self.ranks):
            try:
                recorder = OutputRecorder(self.objective.module, self.recipe.measures)
                model = recorder if self.recipe.measures else self.objective.module
                results = self.objective.file.evaluate(model, self._iterate_until_stopped(request, recorder))
            except ValidationStopped:
                return False
            except REFUSALS as error:
                self.failures.raise_if_located(error, [self.last_micro_batch], f"the validation after step {self.step}")
                raise
            finally:
                self.objective.train()
        if self.ranks.reduce_any(bool(request.number)):
            return False
        self.results = results | recorder.compute_measures(self.ranks)
        self._publish_report(self.results, 0, validation=True)
        return True

    def _iterate_until_stopped(self, request: StopRequest, recorder: OutputRecorder) -> Iterator[MicroBatch]:
        """Yield the validation samples in micro-batches until the process is asked to stop. Several processes go on to the end together."""
        assert self.validation is not None
        varied = self._compute_varied_inputs(self.step)
        for samples in self.batches.iterate_validation(self.validation):
            self.last_micro_batch = recorder.micro_batch = micro_batch = samples | varied
            yield micro_batch
            if self.ranks.world == 1 and request.number:
                raise ValidationStopped

    @contextmanager
    def _use_average_weights(self) -> Iterator[None]:
        """Give the model the averaged parameters, if there are any, for the duration of the context."""
        if self.state.average is None:
            yield
            return
        current = {k: v.clone() for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(self.state.average)
        try:
            yield
        finally:
            self.model.load_state_dict(current)

    def _raise_interrupted(self, request: StopRequest) -> NoReturn:
        # 15, SIGTERM, if the signal came to another process
        raise Interrupted(str(self.folder.path), self.step, 128 + (request.number or 15))

    def save_checkpoint(self) -> None:
        """Write the weights and a checkpoint."""
        last = self._gather(self.weights)
        if self.ranks.is_first:
            self.folder.flush_metrics()
            if self.unsaved_best is not None:
                self.folder.save_weights(BEST, self.unsaved_best)
            self.folder.save_weights(LAST, last)
        self.unsaved_best = None
        progress = {
            "step": self.step,
            "epoch_ends": self.is_epoch_end,
            **self.best.state_dict(),
            "results": self.results,
            "schedule": None if self.schedule is None else self.schedule.state_dict(),
            "scaler": self.precision.state_dict(),
            "tally": self.tally.state_dict(),
            "epoch_tally": self.epoch_tally.state_dict(),
        }
        self.checkpoints.save_checkpoint(progress, self.state)
        self.saved = time.monotonic()

    def resume_run(self) -> None:
        """Continue from the newest checkpoint of the folder. Raises `RunError`."""
        state = self.checkpoints.load_checkpoint(self.state)
        self.step = int(state["step"])
        self.best.load_state_dict(state)
        self.is_epoch_end, self.results = bool(state["epoch_ends"]), dict(state["results"])
        if self.schedule is not None:
            self.schedule.load_state_dict(state["schedule"])
        self.precision.load_state_dict(state["scaler"])
        self.tally.load_state_dict(state["tally"])
        self.epoch_tally.load_state_dict(state["epoch_tally"])
        self.ranks.run_once(lambda: self.folder.cut_metrics(self.step, with_validation=not self.is_epoch_end))
