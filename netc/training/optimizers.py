"""Parameter groups, the optimizer and the schedule, made of a recipe with PyTorch's own classes.

In: a model, and a `Recipe` whose names and options optimizer_options.py has checked. Out: a `torch.optim.Optimizer`, and a scheduler that
is stepped after each step, or None. Always: a parameter is in one group, and one that is frozen is in none.
"""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import lr_scheduler

from .recipe import LEARNING_RATE, OPTIMIZER, NamedSetting, Recipe
from .section_file import SectionFile

Schedule = lr_scheduler.LRScheduler


def normalize_name(name: str) -> str:
    """The name of a class as a spec may write it: `AdamW`, `adamw` and `adam_w` are one."""
    return name.lower().replace("_", "")


def list_optimizers() -> dict[str, type[torch.optim.Optimizer]]:
    """PyTorch's optimizers by the lower-case names of their classes."""
    classes = (value for value in vars(torch.optim).values() if inspect.isclass(value))
    return {normalize_name(c.__name__): c for c in classes if issubclass(c, torch.optim.Optimizer) and c is not torch.optim.Optimizer}


def list_keyword_options(cls: type, skipped: int) -> tuple[str, ...]:
    """The names of the arguments of a constructor, without the first ones."""
    options = list(inspect.signature(cls).parameters.values())[skipped:]
    return tuple(p.name for p in options if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


FUSED_WITH_FSDP = (torch.optim.Adam, torch.optim.AdamW)
"""Optimizers whose fused operator PyTorch can apply to the shares that FSDP makes of parameters; that of SGD it refuses."""


def resolve_optimizer(recipe: Recipe) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """The class, and what the recipe says of its arguments."""
    options = dict(recipe.optimizer.values)
    if "lr" not in options and normalize_name(recipe.optimizer.name) == OPTIMIZER:
        options["lr"] = LEARNING_RATE
    return list_optimizers()[normalize_name(recipe.optimizer.name)], options


def choose_kernel(recipe: Recipe, meshes: int = 0) -> dict[str, bool]:
    """Which of PyTorch's implementations of the optimizer is used, unless the recipe says: the fused one where there is one. `meshes`: over
    how many meshes of processes the parameters are spread."""
    cls, options = resolve_optimizer(recipe)
    known = list_keyword_options(cls, 1)
    if {"fused", "foreach", "capturable", "differentiable"} & options.keys():
        return {}
    if meshes > 1:
        return {name: False for name in ("foreach", "fused") if name in known}
    return {"fused": True} if "fused" in known and (not meshes or issubclass(cls, FUSED_WITH_FSDP)) else {}


SchedulerCall = tuple[type[Schedule], dict[str, Any]]
"""A class of schedulers, and its arguments after the optimizer."""


def _make_warmup(length: int, stage: NamedSetting) -> SchedulerCall:
    return lr_scheduler.LinearLR, {"start_factor": 1 / max(1, length), "total_iters": length}


class CosineTo:
    """The factor of the learning rate along a cosine that ends at the factor `to` and stays there. `to_python` writes it as code."""

    def __init__(self, to: float, length: int) -> None:
        self._to, self._length = to, length

    def __call__(self, step: int) -> float:
        return self._to + (1 - self._to) * (1 + math.cos(math.pi * min(step / self._length, 1))) / 2

    def to_python(self, length: str) -> str:
        """The factor as a lambda, with the source of the length."""
        cosine = f"(1 + math.cos(math.pi * min(step / {length}, 1))) / 2"
        return f"lambda step: {self._to!r} + (1 - {self._to!r}) * {cosine}" if self._to else f"lambda step: {cosine}"

    @property
    def length(self) -> int:
        """The steps that it takes."""
        return self._length


def _make_cosine(length: int, stage: NamedSetting) -> SchedulerCall:
    """PyTorch's class ends at one rate for all groups, and rises again after its end. So it is used only for a cosine over the whole run
    that ends at 0."""
    if "to" not in stage.values and not stage.positional:
        return lr_scheduler.CosineAnnealingLR, {"T_max": max(1, length)}
    return lr_scheduler.LambdaLR, {"lr_lambda": CosineTo(float(stage.values.get("to", 0.0)), max(1, length))}


def _make_linear(length: int, stage: NamedSetting) -> SchedulerCall:
    return lr_scheduler.LinearLR, {"start_factor": 1.0, "end_factor": float(stage.values.get("to", 0.0)), "total_iters": max(1, length)}


def _make_constant(length: int, stage: NamedSetting) -> SchedulerCall:
    return lr_scheduler.ConstantLR, {"factor": 1.0, "total_iters": 1}


COMBINING_SCHEDULERS = ("SequentialLR", "ChainedScheduler")
"""Schedulers of schedulers: the `->` of a schedule."""
STEP_COUNT_OPTIONS = ("T_max", "total_steps", "total_iters")
"""Arguments that are the number of steps, if they are not given."""
NAMED_SCHEDULES: dict[str, Callable[[int, NamedSetting], SchedulerCall]] = {
    "warmup": _make_warmup,
    "cosine": _make_cosine,
    "linear": _make_linear,
    "constant": _make_constant,
}
"""The schedules with names of their own: each runs for the steps in its first argument, and the last one for the steps that are left. `to`
is the factor of the optimizer's rate at the end. PyTorch's `LinearLR` and `ConstantLR` are `linear_lr` and `constant_lr`."""


def list_schedulers() -> dict[str, type[Schedule]]:
    """PyTorch's schedulers by the lower-case names of their classes, without `LR` at the end."""
    classes = {n: c for n, c in vars(lr_scheduler).items() if inspect.isclass(c) and issubclass(c, Schedule) and not n.startswith("_")}
    return {normalize_name(n).removesuffix("lr"): c for n, c in classes.items() if c is not Schedule and n not in COMBINING_SCHEDULERS}


def fill_step_counts(cls: type[Schedule], arguments: dict[str, Any], length: int) -> dict[str, Any]:
    """The arguments, with the number of steps for what stands for it and is not given."""
    missing = [name for name in STEP_COUNT_OPTIONS if name in list_keyword_options(cls, 1) and name not in arguments]
    if "epochs" in arguments or "steps_per_epoch" in arguments:  # OneCycleLR's other way to say it
        missing = [name for name in missing if name != "total_steps"]
    return arguments | dict.fromkeys(missing, max(1, length))


def make_schedule(file: SectionFile, optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> Schedule | None:
    """The schedule over all steps; None for a constant learning rate."""
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
    """The schedulers of the stages, and the steps at which the second one and the later ones begin."""
    lengths = compute_stage_lengths(recipe.schedule, steps)
    calls = [_resolve_stage(stage, length) for stage, length in zip(recipe.schedule, lengths, strict=True)]
    for cls, options in calls:
        if cls is lr_scheduler.ReduceLROnPlateau:  # it follows the metric that decides which weights are the best
            options.setdefault("mode", "max" if recipe.keep.higher else "min")
    return calls, [sum(lengths[: i + 1]) for i in range(len(calls) - 1)]


def _resolve_stage(stage: NamedSetting, length: int) -> SchedulerCall:
    name = normalize_name(stage.name)
    if name in NAMED_SCHEDULES:
        return NAMED_SCHEDULES[name](length, stage)
    cls = list_schedulers()[name.removesuffix("lr")]
    return cls, fill_step_counts(cls, stage.values, length)


def compute_stage_lengths(stages: tuple[NamedSetting, ...], steps: int) -> list[int]:
    """The number of steps of each stage of a schedule: what its first argument says, and for the last one what is left."""
    lengths = [int(s.positional[0].value) if s.positional else 0 for s in stages[:-1]]
    last = stages[-1]
    last_length = int(last.positional[0].value) if last.positional else max(1, steps - sum(lengths))
    return [*lengths, last_length]
