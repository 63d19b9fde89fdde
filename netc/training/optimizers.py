"""Resolve the optimizer and the schedule of a recipe to PyTorch's classes and their arguments.

In: a `Recipe` whose names and options optimizer_options.py has checked. Out: classes with arguments, from which the training file's
`make_optimizer` and `make_schedule` are emitted. Always: only PyTorch's own classes are used; `warmup` and `cosine` are names for these.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch.optim import lr_scheduler

from .named_setting import NamedSetting
from .recipe import LEARNING_RATE, OPTIMIZER, Recipe
from .section_file import SectionFile

Schedule = lr_scheduler.LRScheduler


def normalize_name(name: str) -> str:
    """Normalize the name of a class as a spec may write it.

    >>> {normalize_name(name) for name in ("AdamW", "adamw", "adam_w")}
    {'adamw'}
    """
    return name.lower().replace("_", "")


def list_optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """List PyTorch's optimizers by the normalized names of their classes."""
    classes = (value for value in vars(torch.optim).values() if inspect.isclass(value))
    return {normalize_name(c.__name__): c for c in classes if issubclass(c, torch.optim.Optimizer) and c is not torch.optim.Optimizer}


def list_keyword_options(cls: type, skipped: int) -> tuple[str, ...]:
    """List the arguments of a constructor by name, without the first `skipped` ones."""
    options = list(inspect.signature(cls).parameters.values())[skipped:]
    return tuple(p.name for p in options if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


FUSED_WITH_FSDP = (torch.optim.Adam, torch.optim.AdamW)
"""Optimizers whose fused kernel PyTorch can apply to FSDP's shards. It refuses fused SGD for them."""


def resolve_optimizer(recipe: Recipe) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """Return the optimizer's class and its arguments."""
    options = dict(recipe.optimizer.values)
    if "lr" not in options and normalize_name(recipe.optimizer.name) == OPTIMIZER:
        options["lr"] = LEARNING_RATE
    return list_optimizers()[normalize_name(recipe.optimizer.name)], options


UsedOptimizers = Mapping[str, tuple[type[torch.optim.Optimizer], dict[str, Any]]]
"""Optimizers by their normalized names, with arguments."""


def list_used_optimizers(recipe: Recipe) -> UsedOptimizers:
    """List the optimizers of a section by their normalized names, with the arguments for all of their parameters: the section's own, and
    those that groups of parameters have."""
    classes = list_optimizers()
    others = [normalize_name(rule.optimizer.name) for rule in recipe.groups if rule.optimizer is not None]
    return {**{name: (classes[name], {}) for name in others}, normalize_name(recipe.optimizer.name): resolve_optimizer(recipe)}


def choose_kernel(cls: type[torch.optim.Optimizer], options: Mapping[str, Any], meshes: int = 0) -> dict[str, bool]:
    """Choose among PyTorch's implementations of an optimizer, unless its arguments do: the fused one if there is one. `meshes` is the
    number of meshes of processes over which the parameters are distributed."""
    known = list_keyword_options(cls, 1)
    if {"fused", "foreach", "capturable", "differentiable"} & options.keys():
        return {}
    # Fused and foreach kernels take all parameters in one call, which PyTorch refuses for DTensors on different meshes.
    if meshes > 1:
        return {name: False for name in ("foreach", "fused") if name in known}
    return {"fused": True} if "fused" in known and (not meshes or issubclass(cls, FUSED_WITH_FSDP)) else {}


SchedulerCall = tuple[type[Schedule], dict[str, Any]]
"""A class of schedulers, and its arguments after the optimizer."""


def _make_warmup(length: int, stage: NamedSetting) -> SchedulerCall:
    return lr_scheduler.LinearLR, {"start_factor": 1 / max(1, length), "total_iters": length}


class CosineTo:
    """The factor of the learning rate along a cosine that ends at the factor `to` and stays there. `to_python` emits it as code.

    >>> half = CosineTo(0.5, 10)
    >>> half(0), half(10), half(20)
    (1.0, 0.5, 0.5)
    """

    def __init__(self, to: float, length: int) -> None:
        self._to, self._length = to, length

    def __call__(self, step: int) -> float:
        return self._to + (1 - self._to) * (1 + math.cos(math.pi * min(step / self._length, 1))) / 2

    def to_python(self, length: str) -> str:
        """Emit the factor as a lambda, with an expression for the length."""
        cosine = f"(1 + math.cos(math.pi * min(step / {length}, 1))) / 2"
        return f"lambda step: {self._to!r} + (1 - {self._to!r}) * {cosine}" if self._to else f"lambda step: {cosine}"

    @property
    def length(self) -> int:
        """The number of steps until the end."""
        return self._length


def _make_cosine(length: int, stage: NamedSetting) -> SchedulerCall:
    """Return the scheduler for a cosine that ends at `to`, by default 0."""
    # PyTorch's CosineAnnealingLR ends at one rate for all groups, and rises again after its end. So it is used only for a cosine over the
    # full run that ends at 0.
    if "to" not in stage.values and not stage.positional:
        return lr_scheduler.CosineAnnealingLR, {"T_max": max(1, length)}
    return lr_scheduler.LambdaLR, {"lr_lambda": CosineTo(float(stage.values.get("to", 0.0)), max(1, length))}


def _make_linear(length: int, stage: NamedSetting) -> SchedulerCall:
    return lr_scheduler.LinearLR, {"start_factor": 1.0, "end_factor": float(stage.values.get("to", 0.0)), "total_iters": max(1, length)}


def _make_constant(length: int, stage: NamedSetting) -> SchedulerCall:
    return lr_scheduler.ConstantLR, {"factor": 1.0, "total_iters": 1}


COMBINING_SCHEDULERS = ("SequentialLR", "ChainedScheduler")
"""Schedulers that combine schedulers. A spec writes `->` instead."""
STEP_COUNT_OPTIONS = ("T_max", "total_steps", "total_iters")
"""Arguments that are set to the number of steps unless the spec sets them."""
NAMED_SCHEDULES: dict[str, Callable[[int, NamedSetting], SchedulerCall]] = {
    "warmup": _make_warmup,
    "cosine": _make_cosine,
    "linear": _make_linear,
    "constant": _make_constant,
}
"""The schedules that netc names. Each runs for the steps in its first argument, the last one for the remaining steps. `to` is the factor of
the optimizer's rate at the end. PyTorch's own `LinearLR` and `ConstantLR` are `linear_lr` and `constant_lr`."""


def list_schedulers() -> dict[str, type[Schedule]]:
    """List PyTorch's schedulers by the normalized names of their classes, without `lr` at the end."""
    classes = {n: c for n, c in vars(lr_scheduler).items() if inspect.isclass(c) and issubclass(c, Schedule) and not n.startswith("_")}
    return {normalize_name(n).removesuffix("lr"): c for n, c in classes.items() if c is not Schedule and n not in COMBINING_SCHEDULERS}


def fill_step_counts(cls: type[Schedule], arguments: dict[str, Any], length: int) -> dict[str, Any]:
    """Set the arguments that mean the number of steps, unless the spec sets them."""
    missing = [name for name in STEP_COUNT_OPTIONS if name in list_keyword_options(cls, 1) and name not in arguments]
    if "epochs" in arguments or "steps_per_epoch" in arguments:  # OneCycleLR computes `total_steps` from these
        missing = [name for name in missing if name != "total_steps"]
    return arguments | dict.fromkeys(missing, max(1, length))


def make_schedule(file: SectionFile, optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> Schedule | None:
    """Make the schedule over all steps; None for a constant learning rate."""
    if not recipe.schedule:
        return None
    schedule: Schedule = file.make_schedule(optimizer) if follows_metric(recipe) else file.make_schedule(optimizer, steps)
    return schedule


def follows_metric(recipe: Recipe) -> bool:
    """Whether the schedule is stepped at the end of each epoch, with the metric that `keep` names."""
    return any(
        list_schedulers().get(normalize_name(stage.name).removesuffix("lr")) is lr_scheduler.ReduceLROnPlateau for stage in recipe.schedule
    )


def resolve_schedules(recipe: Recipe, steps: int) -> tuple[list[SchedulerCall], list[int]]:
    """Return the schedulers of the stages, and the steps at which each one after the first begins."""
    lengths = compute_stage_lengths(recipe.schedule, steps)
    calls = [_resolve_stage(stage, length) for stage, length in zip(recipe.schedule, lengths, strict=True)]
    for cls, options in calls:
        if cls is lr_scheduler.ReduceLROnPlateau:  # it follows the metric that `keep` names
            options.setdefault("mode", "max" if recipe.keep.higher else "min")
    return calls, [sum(lengths[: i + 1]) for i in range(len(calls) - 1)]


def _resolve_stage(stage: NamedSetting, length: int) -> SchedulerCall:
    name = normalize_name(stage.name)
    if name in NAMED_SCHEDULES:
        return NAMED_SCHEDULES[name](length, stage)
    cls = list_schedulers()[name.removesuffix("lr")]
    return cls, fill_step_counts(cls, stage.values, length)


def compute_stage_lengths(stages: tuple[NamedSetting, ...], steps: int) -> list[int]:
    """Return the number of steps of each stage: its first argument; for the last stage, by default, the remaining steps."""
    lengths = [int(s.positional[0].value) if s.positional else 0 for s in stages[:-1]]
    last = stages[-1]
    last_length = int(last.positional[0].value) if last.positional else max(1, steps - sum(lengths))
    return [*lengths, last_length]
