"""What a run of `netc train` adds to the training step of the section's file: several processes, number formats, and a finite loss.

In: an objective arranged for the machine. Out: the `run` of the file's `train_step`, whose lines with `run` call its methods in order:

    counts = run.all_reduce_counts(counts)
    run.begin_micro_batch(micro_batch is micro_batches[-1])    # for each of several micro-batches
    run.backward(loss)
    totals = run.check_loss(optimizer, totals, counts, loss)
    run.step_optimizer(optimizer)

Always: the gradient is that of the loss of the whole batch, in however many parts and on however many processes it is computed. If the loss
is not finite, nothing is changed.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from netc.compiler.errors.training_errors import NothingTrained
from netc.compiler.ir.training_program import LOSS

from ..errors import CompileError
from ..files.file_problems import diagnostic
from .mixed_precision import Precision
from .objective import Objective
from .parallel import computation_context, set_gradient_sync
from .ranks import Ranks
from .tally import to_numbers
from .tensor_parallel import clip_sharded_grad_norm


class NotFinite(Exception):
    """The loss of this batch is NaN or infinite."""

    def __init__(self, value: float) -> None:
        super().__init__(str(value))
        self.value = value


class StepHooks:
    """The methods that the file calls. `stop`: whether a process was asked to stop; after `all_reduce_counts`, whether any was."""

    def __init__(self, objective: Objective, precision: Precision, ranks: Ranks) -> None:
        self.objective, self.precision, self.ranks = objective, precision, ranks
        self.stop = False

    def wrap_totals(self, totals: Callable[..., Any]) -> Callable[..., Any]:
        """The file's `totals`, in the number format and the context of this run."""
        computed = self.precision.wrap_forward(totals)
        if self.ranks.tensor == 1:
            return computed

        def in_context(*arguments: Any) -> Any:
            with computation_context(self.ranks):
                return computed(*arguments)

        return in_context

    def all_reduce(self, values: Sequence[Tensor | float]) -> Sequence[Tensor | float]:
        """The sums over all processes."""
        return list(self._reduce_values(values).unbind())

    def all_reduce_counts(self, counts: Sequence[Tensor | float]) -> Sequence[Tensor | float]:
        """The sums of the counts over all processes. They learn here whether one of them was asked to stop."""
        *values, stopped = self._reduce_values([*counts, float(self.stop)]).tolist()
        self.stop = bool(stopped)
        return values

    def _reduce_values(self, values: Sequence[Tensor | float]) -> Tensor:
        return self.ranks.all_reduce(torch.tensor(to_numbers(values), dtype=torch.float64, device=self.ranks.device))

    def zero_grad(self, optimizer: torch.optim.Optimizer) -> None:
        """`optimizer.zero_grad()`, which takes a small model a tenth of its step."""
        for group in optimizer.param_groups:
            for parameter in group["params"]:
                parameter.grad = None

    def begin_micro_batch(self, last: bool) -> None:
        """Begins a part of the batch; gradients travel between processes with the last one."""
        if self.ranks.world > 1:
            set_gradient_sync(self.objective.module, last)

    def backward(self, loss: Tensor) -> None:
        """Adds the gradient of a part's share of the loss. Replicas average their gradients, and the gradient is the sum of theirs: so each
        takes its gradient times their number."""
        if not loss.requires_grad:  # freezing, or a stage without a gradient
            place = self.objective.training_section.loss_span
            raise CompileError((diagnostic(NothingTrained("the loss depends on no parameter that is trained"), place),))
        if self.ranks.tensor == 1:
            self.precision.run_backward(loss, float(self.ranks.replicas))
            return

        with computation_context(self.ranks):
            self.precision.run_backward(loss, float(self.ranks.replicas))

    def check_loss(self, optimizer: torch.optim.Optimizer, totals: Any, divisors: Any, loss: Tensor | None = None) -> list[float]:
        """Checks the loss, and takes the scale of the loss out of the gradients. `loss`: the loss of the whole batch of this process, where
        it is known. Returns the totals of all processes, as numbers: a total may be a parameter, which the update moves. Raises
        `NotFinite`."""
        if self.ranks.world > 1:
            totals = self.all_reduce(totals)
        if loss is None or self.ranks.world > 1:
            loss = self.objective.file.compute_metrics(totals, divisors)[LOSS]
        value = loss.item()
        if not math.isfinite(value):
            raise NotFinite(value)
        self.precision.unscale_gradients(optimizer)
        return to_numbers(totals)

    def step_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Moves the parameters."""
        self.precision.step_optimizer(optimizer)

    def clip_grad_norm_(self, parameters: Any, limit: float) -> None:
        """`torch.nn.utils.clip_grad_norm_` where several processes share layers."""
        clip_sharded_grad_norm(list(parameters), limit)
