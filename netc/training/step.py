"""The hooks that `netc train` adds to the training step of the section's file: several processes, mixed precision, and the check of the
loss.

In: an objective that is parallelized for the machine. Out: `run`, whose methods the file's `train_step` calls in this order:

    counts = run.all_reduce_counts(counts)
    run.begin_micro_batch(micro_batch is micro_batches[-1])    # for each of several micro-batches
    run.backward("loss", loss)
    batch_totals = run.run_pipeline(...)                       # instead of the two, if processes have stages of the model
    totals = run.check_loss(optimizer, totals, counts, loss)
    run.step_optimizer(optimizer)

Always: the gradient is the gradient of the whole batch's loss, for any number of micro-batches and processes. If the loss is not finite, no
parameter is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch import distributed as dist

from netc.compiler.errors.training_errors import NothingTrained
from netc.compiler.ir.training_program import LOSS

from ..errors import CompileError
from ..files.file_problems import make_diagnostic
from .batches import MicroBatch
from .mixed_precision import Precision
from .objective import Objective
from .parallel import computation_context, set_gradient_sync
from .pipeline_parallel import ComputeLoss, ComputeTotals, PipelineModel, find_pipeline
from .ranks import Ranks
from .tally import to_numbers
from .tensor_parallel import clip_sharded_grad_norm


class NotFinite(Exception):
    """The loss of this batch is NaN or infinite."""

    def __init__(self, value: float) -> None:
        super().__init__(str(value))
        self.value = value


class StepHooks:
    """The methods that the file calls. `stop`: whether this process was asked to stop; after `all_reduce_counts`, whether any was."""

    def __init__(self, objective: Objective, precision: Precision, ranks: Ranks) -> None:
        self.objective, self.precision, self.ranks = objective, precision, ranks
        self.stop = False

    def wrap_totals(self, totals: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap the file's `compute_totals` so that it computes in the precision and the context of this run."""
        computed = self.precision.wrap_forward(totals)
        if self.ranks.tensor == 1:
            return computed

        def in_context(*arguments: Any) -> Any:
            with computation_context(self.ranks):
                return computed(*arguments)

        return in_context

    def all_reduce(self, values: Sequence[Tensor | float]) -> Sequence[Tensor | float]:
        """Sum values over all processes."""
        return list(self._reduce_values(values).unbind())

    def all_reduce_counts(self, counts: Sequence[Tensor | float]) -> Sequence[Tensor | float]:
        """Sum counts over all processes."""
        # The request to stop travels with the counts: every process must stop after the same step, and this costs no message of its own.
        *values, stopped = self._reduce_values([*counts, float(self.stop)]).tolist()
        self.stop = bool(stopped)
        return values

    def _reduce_values(self, values: Sequence[Tensor | float]) -> Tensor:
        return self.ranks.all_reduce(torch.tensor(to_numbers(values), dtype=torch.float64, device=self.ranks.device))

    def zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """Set the gradients to None."""
        # `optimizer.zero_grad()` does the same, and takes a tenth of the step of a small model.
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def begin_micro_batch(self, last: bool) -> None:
        """Begin a micro-batch. Gradients are exchanged between processes only with the last one."""
        if self.ranks.world > 1:
            set_gradient_sync(self.objective.module, last)

    def backward(self, name: str, loss: Tensor) -> None:
        """Add the gradient of a micro-batch's share of the loss of this name."""
        if not loss.requires_grad:  # freezing, or a stage without a gradient
            place = self.objective.training_section.spans[name]
            why = "the loss depends on no parameter that is trained" if name == LOSS else f"`{name}` depends on no parameter that it trains"
            raise CompileError((make_diagnostic(NothingTrained(why), place),))
        # DDP and FSDP average the gradients of the replicas, and the loss is a sum over replicas: each multiplies by their number.
        if self.ranks.tensor == 1:
            self.precision.run_backward(loss, float(self.ranks.replicas))
            return

        with computation_context(self.ranks):
            self.precision.run_backward(loss, float(self.ranks.replicas))

    def synchronize(self, model: nn.Module, parameters: Iterable[nn.Parameter]) -> None:
        """Average the gradients over all processes, and give the buffers of the first process to all, in a section with several losses. In
        other sections, DDP or FSDP does so."""
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)
        for parameter in parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            dist.all_reduce(parameter.grad)
            parameter.grad /= self.ranks.world

    def check_loss(
        self, optimizer: torch.optim.Optimizer, totals: Any, divisors: Any, name: str = LOSS, loss: Tensor | None = None
    ) -> list[float]:
        """Check that the loss of this name is finite, and unscale the gradients. `loss` is the loss of this process's whole batch, if it is
        known. Return the totals of all processes. Raises `NotFinite`."""
        # Totals are returned as numbers, not tensors: a total may be a parameter itself, which the update changes in place.
        if self.ranks.world > 1:
            totals = self.all_reduce(totals)
        if loss is None or self.ranks.world > 1:
            loss = self.objective.file.compute_metrics(totals, divisors)[name]
        value = loss.item()
        if not math.isfinite(value):
            raise NotFinite(value)
        self.precision.unscale_gradients(optimizer)
        return to_numbers(totals)

    def step_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Update the parameters."""
        self.precision.step_optimizer(optimizer)

    def clip_grad_norm_(self, parameters: Any, limit: float) -> None:
        """Do what `torch.nn.utils.clip_grad_norm_` does, where several processes share layers."""
        pipeline = find_pipeline(self.objective)
        clip_sharded_grad_norm(list(parameters), limit, *(() if pipeline is None else (pipeline.clip_norms,)))

    def run_pipeline(
        self, model: PipelineModel, compute_totals: ComputeTotals, micro_batches: Sequence[MicroBatch], compute_loss: ComputeLoss
    ) -> list[list[Tensor]]:
        """Compute the gradients of a batch in stages. Return the totals of each micro-batch."""
        with computation_context(self.ranks):
            return model.run_micro_batches(compute_totals, micro_batches, compute_loss)
