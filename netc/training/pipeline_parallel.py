"""Pipeline parallelism: each process of a group computes a stage of the model, and micro-batches pass through the stages.

In: an objective with a whole model, and the processes. Out: the objective with the model of this process's stage, and a `PipelineModel` in
its place. Always: `torch.distributed.pipelining` schedules the micro-batches; the keys of a stage's parameters are the model's own; all
processes of a group know the totals of each batch, and so the same losses.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import FSDPModule
from torch.distributed.pipelining import PipelineStage, Schedule1F1B, ScheduleGPipe

from netc.compiler.analysis.state_dict import collect_parameters
from netc.compiler.backends.backend import BackendInput
from netc.compiler.backends.torch import BACKEND
from netc.compiler.errors.run_errors import NoDevice, RunError
from netc.compiler.ir.training_program import Training

from .batches import MicroBatch
from .cut_stages import Stage, cut_stages
from .engine import Engine
from .objective import Objective
from .ranks import PIPELINE, REPLICAS, Ranks
from .recipe import Recipe

V = TypeVar("V")
ComputeTotals = Callable[[Callable[..., Any], MicroBatch], Sequence[Tensor]]
ComputeLoss = Callable[[Sequence[Tensor]], Tensor]


class StageModule(nn.Module):
    """The model of a stage, called with the values of the stage before and the number of a micro-batch. `model_inputs` has the inputs of
    the whole model for each micro-batch: every process reads them, so they need not cross cuts."""

    def __init__(self, model: nn.Module, stage: Stage) -> None:
        super().__init__()
        self.model, self.positions = model, stage.inputs
        self.model_inputs: list[tuple[Tensor, ...]] = []

    def forward(self, *received: Tensor, number: Tensor | None = None) -> Any:
        if number is None:  # the first stage receives nothing else
            *received, number = received  # type: ignore[assignment]
        inputs = self.model_inputs[int(number)]
        return self.model(*(inputs[position] for position in self.positions), *received)


class PipelineModel(nn.Module):
    """The whole model, as seen by one process: it computes its stage and communicates with the others. Calling it evaluates the model
    without gradients; `run_micro_batches` trains."""

    def __init__(self, objective: Objective, stages: Sequence[Stage], ranks: Ranks, mesh: DeviceMesh) -> None:
        super().__init__()
        self.stage_module: nn.Module = StageModule(objective.model, stages[ranks.stage])
        self.ranks = ranks
        self.group, self.replica_group = mesh.get_group(PIPELINE), mesh.get_group(REPLICAS)
        self.total_count = len(objective.means.totals.main.outputs)
        self._sketches = [BACKEND.module(BackendInput(stage.program, "Stage")).to("meta") for stage in stages]
        """The models of all stages without memory, for the shapes of what crosses the cuts."""
        self._stages = tuple(stages)
        self._schedules: dict[Any, ScheduleGPipe | Schedule1F1B] = {}
        self._score: Callable[[Any, int], Tensor] = lambda output, number: output

    @property
    def last_rank(self) -> int:
        """The process of this group with the last stage."""
        return dist.get_global_rank(self.group, len(self._stages) - 1)

    def forward(self, *inputs: Tensor) -> Any:
        schedule = self._prepare_schedule([inputs], has_backward=False)
        with torch.no_grad():
            outputs = self._step(schedule, 1)
        shapes = self._infer_crossing_values(inputs)[-1]
        tensors = _to_tuple(outputs) if outputs is not None else tuple(torch.empty_like(s, device=self.ranks.device) for s in shapes)
        for tensor in tensors:
            dist.broadcast(tensor.contiguous() if outputs is not None else tensor, self.last_rank, group=self.group)
        return tensors[0] if len(tensors) == 1 else tensors

    def run_micro_batches(
        self, compute_totals: ComputeTotals, micro_batches: Sequence[MicroBatch], compute_loss: ComputeLoss
    ) -> list[list[Tensor]]:
        """Compute the gradients of a batch. Return the totals of each micro-batch, in all processes."""
        inputs = [_capture_inputs(compute_totals, micro_batch) for micro_batch in micro_batches]
        totals = torch.zeros((len(micro_batches), self.total_count), dtype=torch.float64, device=self.ranks.device)
        is_averaged = isinstance(self.stage_module, FSDPModule)

        def score(output: Any, number: int) -> Tensor:
            computed = list(compute_totals(lambda *_: output, micro_batches[number]))
            totals[number] = torch.stack([total.detach().double() for total in computed])
            # the losses of the replicas are summed, and FSDP averages their gradients
            return compute_loss(computed) * (self.ranks.replicas if is_averaged else 1)

        self._score = score
        self._broadcast_buffers()
        self._step(self._prepare_schedule(inputs, has_backward=True), len(inputs))
        dist.broadcast(totals, self.last_rank, group=self.group)
        if not is_averaged:
            self._sum_gradients()
        return [list(row) for row in totals]

    def merge_stages(self, values: Mapping[str, V]) -> dict[str, V]:
        """Return the values of all stages, by name, in each process of the group."""
        gathered: list[Any] = [None] * len(self._stages)
        dist.all_gather_object(gathered, dict(values), group=self.group)
        return {name: value for part in gathered for name, value in part.items()}

    def clip_norms(self, norm: Tensor) -> Tensor:
        """Return the norm of the gradients of all stages, by the norm of this stage's."""
        squares = norm.double().square()
        dist.all_reduce(squares, group=self.group)
        return squares.sqrt().to(norm.dtype)

    def _step(self, schedule: ScheduleGPipe | Schedule1F1B, count: int) -> Any:
        numbers = torch.arange(count)
        target = {"target": numbers} if schedule._loss_fn is not None and self.ranks.stage == len(self._stages) - 1 else {}
        options: dict[str, Any] = {"return_outputs": schedule._loss_fn is None, **target}
        if self.ranks.stage == 0:
            return schedule.step(numbers, **options)
        return schedule.step(number=numbers, **options)

    def _prepare_schedule(self, inputs: Sequence[tuple[Tensor, ...]], has_backward: bool) -> ScheduleGPipe | Schedule1F1B:
        """Return the schedule for micro-batches of these shapes, and pass them to the stage."""
        holder = self.stage_module
        assert isinstance(holder, StageModule)
        holder.model_inputs = list(inputs)
        key = (len(inputs), has_backward, tuple(tuple(tensor.shape) for tensor in inputs[0]))
        if key not in self._schedules:
            self._schedules[key] = self._make_schedule(inputs, has_backward)
        return self._schedules[key]

    def _make_schedule(self, inputs: Sequence[tuple[Tensor, ...]], has_backward: bool) -> ScheduleGPipe | Schedule1F1B:
        crossing, number, count = self._infer_crossing_values(inputs[0]), self.ranks.stage, len(self._stages)
        received = crossing[number - 1] if number else (torch.zeros(1, dtype=torch.int64),)
        stage = PipelineStage(
            self.stage_module,
            number,
            count,
            self.ranks.device,
            input_args=tuple(tensor.detach().requires_grad_(has_backward and tensor.is_floating_point()) for tensor in received),
            output_args=tuple(tensor.detach().requires_grad_(has_backward) for tensor in crossing[number]),
            group=self.group,
        )
        # 1F1B keeps fewer activations, and needs a micro-batch for each stage.
        kind = Schedule1F1B if has_backward and len(inputs) >= count else ScheduleGPipe
        loss = (lambda output, index: self._score(output, int(index))) if has_backward else None
        return kind(stage, len(inputs), loss_fn=loss, scale_grads=False)

    def _infer_crossing_values(self, inputs: tuple[Tensor, ...]) -> list[tuple[Tensor, ...]]:
        """Return the outputs of each stage for a micro-batch, as tensors without memory."""
        values: tuple[Tensor, ...] = ()
        crossing: list[tuple[Tensor, ...]] = []
        with torch.no_grad():
            for stage, sketch in zip(self._stages, self._sketches, strict=True):
                values = _to_tuple(sketch(*(inputs[position].to("meta") for position in stage.inputs), *values))
                crossing.append(values)
        return crossing

    def _sum_gradients(self) -> None:
        """Sum the gradients over the replicas."""
        for parameter in self.stage_module.parameters() if self.ranks.replicas > 1 else ():
            if parameter.requires_grad:
                if parameter.grad is None:
                    parameter.grad = torch.zeros_like(parameter)
                dist.all_reduce(parameter.grad, group=self.replica_group)

    def _broadcast_buffers(self) -> None:
        """Give the buffers of the first replica to all, as DDP does."""
        for buffer in self.stage_module.buffers() if self.ranks.replicas > 1 else ():
            dist.broadcast(buffer, dist.get_global_rank(self.replica_group, 0), group=self.replica_group)


class _CapturedInputsError(Exception):
    """Ends a computation as soon as the inputs of the model are known."""

    def __init__(self, inputs: tuple[Tensor, ...]) -> None:
        super().__init__()
        self.inputs = inputs


def _capture_inputs(compute_totals: ComputeTotals, micro_batch: MicroBatch) -> tuple[Tensor, ...]:
    """Return the inputs with which a section calls its model."""

    def capture(*inputs: Tensor) -> None:
        raise _CapturedInputsError(inputs)

    try:
        compute_totals(capture, micro_batch)
    except _CapturedInputsError as captured:
        return captured.inputs
    raise AssertionError("the objective does not call its model")


def find_pipeline(objective: Objective) -> PipelineModel | None:
    """Return the model of an objective that is computed in stages."""
    return objective.module if isinstance(objective.module, PipelineModel) else None


def take_stage(objective: Objective, ranks: Ranks) -> tuple[Stage, ...]:
    """Replace the model of an objective by the stage of this process. Return all stages."""
    stages = cut_stages(objective.training_section, ranks.pipeline)
    model = BACKEND.module(BackendInput(stages[ranks.stage].program, "Stage")).to(ranks.device)
    full = objective.model.state_dict()
    model.load_state_dict({name: full[name] for name in model.state_dict()})
    objective.replace_model(model)
    return stages


def describe_stages(stages: Sequence[Stage]) -> str:
    """Return a note on where the model was cut."""
    parts = [f"`{stage.first_label}` ({stage.cost:.0%} of the operations)" for stage in stages]
    return f"{len(stages)} stages, which begin with {', '.join(parts)}"


def _to_tuple(outputs: Any) -> tuple[Tensor, ...]:
    return outputs if isinstance(outputs, tuple) else (outputs,)


def check_pipeline(training: Training, recipe: Recipe, engine: Engine) -> None:
    """Check that a section can be trained in stages. Raises `RunError`."""
    option = f"`--pp {engine.pp}`"
    for number, stage in enumerate(cut_stages(training, engine.pp), 1):
        learned = [name for name, info in collect_parameters(stage.program).items() if info.trainable]
        if all(any(fnmatchcase(name, pattern.text) for pattern in recipe.frozen) for name in learned):
            why = f"the section freezes all parameters of stage {number}, which begins with `{stage.first_label}`, and {option} trains each"
            raise RunError(NoDevice(why, f"leave out {option}, or pass fewer stages"))
    if recipe.minimized or recipe.follows:
        word = "minimize" if recipe.minimized else "follow"
        raise RunError(
            NoDevice(f"a section with `{word}` needs all parameters in each process, and {option} divides them", f"leave out {option}")
        )
    if engine.compile or engine.precision != "fp32":
        other = "--compile" if engine.compile else f"--precision {engine.precision}"
        raise RunError(NoDevice(f"`{other}` is not available with {option}", "leave out one of the two"))
