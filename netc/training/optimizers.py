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

from .recipe import LEARNING_RATE, OPTIMIZER, Named, Recipe
from .section_file import SectionFile

Schedule = lr_scheduler.LRScheduler


def key(name: str) -> str:
    """The name of a class as a spec may write it: `AdamW`, `adamw` and `adam_w` are one."""
    return name.lower().replace("_", "")


def optimizer_classes() -> dict[str, type[torch.optim.Optimizer]]:
    """PyTorch's optimizers by the lower-case names of their classes."""
    found = (value for value in vars(torch.optim).values() if inspect.isclass(value))
    return {key(c.__name__): c for c in found if issubclass(c, torch.optim.Optimizer) and c is not torch.optim.Optimizer}


def keyword_options(cls: type, skipped: int) -> tuple[str, ...]:
    """The names of the arguments of a constructor, without the first ones."""
    found = list(inspect.signature(cls).parameters.values())[skipped:]
    return tuple(p.name for p in found if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY))


FUSED_OF_SHARES = (torch.optim.Adam, torch.optim.AdamW)
"""Optimizers whose fused operator PyTorch can apply to the shares that FSDP makes of parameters; that of SGD it refuses."""


def chosen_optimizer(recipe: Recipe) -> tuple[type[torch.optim.Optimizer], dict[str, Any]]:
    """The class, and what the recipe says of its arguments."""
    options = dict(recipe.optimizer.values)
    if "lr" not in options and key(recipe.optimizer.name) == OPTIMIZER:
        options["lr"] = LEARNING_RATE
    return optimizer_classes()[key(recipe.optimizer.name)], options


def kernel(recipe: Recipe, meshes: int = 0) -> dict[str, bool]:
    """Which of PyTorch's implementations of the optimizer is used, unless the recipe says: the fused one where there is one. `meshes`: over
    how many meshes of processes the parameters are spread."""
    cls, options = chosen_optimizer(recipe)
    known = keyword_options(cls, 1)
    if {"fused", "foreach", "capturable", "differentiable"} & options.keys():
        return {}
    if meshes > 1:
        return {name: False for name in ("foreach", "fused") if name in known}
    return {"fused": True} if "fused" in known and (not meshes or issubclass(cls, FUSED_OF_SHARES)) else {}


Chosen = tuple[type[Schedule], dict[str, Any]]
"""A class of schedulers, and its arguments after the optimizer."""


def _warmup(length: int, stage: Named) -> Chosen:
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


def _cosine(length: int, stage: Named) -> Chosen:
    """PyTorch's class ends at one rate for all groups, and rises again after its end. So it is used only for a cosine over the whole run
    that ends at 0."""
    if "to" not in stage.values and not stage.positional:
        return lr_scheduler.CosineAnnealingLR, {"T_max": max(1, length)}
    return lr_scheduler.LambdaLR, {"lr_lambda": CosineTo(float(stage.values.get("to", 0.0)), max(1, length))}


def _linear(length: int, stage: Named) -> Chosen:
    return lr_scheduler.LinearLR, {"start_factor": 1.0, "end_factor": float(stage.values.get("to", 0.0)), "total_iters": max(1, length)}


def _constant(length: int, stage: Named) -> Chosen:
    return lr_scheduler.ConstantLR, {"factor": 1.0, "total_iters": 1}


COMBINED = ("SequentialLR", "ChainedScheduler")
"""Schedulers of schedulers: the `->` of a schedule."""
LENGTHS = ("T_max", "total_steps", "total_iters")
"""Arguments that are the number of steps, if they are not given."""
SHAPES: dict[str, Callable[[int, Named], Chosen]] = {
    "warmup": _warmup,
    "cosine": _cosine,
    "linear": _linear,
    "constant": _constant,
}
"""The schedules with names of their own: each runs for the steps in its first argument, and the last one for the steps that are left. `to`
is the factor of the optimizer's rate at the end. PyTorch's `LinearLR` and `ConstantLR` are `linear_lr` and `constant_lr`."""


def scheduler_classes() -> dict[str, type[Schedule]]:
    """PyTorch's schedulers by the lower-case names of their classes, without `LR` at the end."""
    found = {n: c for n, c in vars(lr_scheduler).items() if inspect.isclass(c) and issubclass(c, Schedule) and not n.startswith("_")}
    return {key(n).removesuffix("lr"): c for n, c in found.items() if c is not Schedule and n not in COMBINED}


def fill(cls: type[Schedule], given: dict[str, Any], length: int) -> dict[str, Any]:
    """The arguments, with the number of steps for what stands for it and is not given."""
    missing = [name for name in LENGTHS if name in keyword_options(cls, 1) and name not in given]
    if "epochs" in given or "steps_per_epoch" in given:  # OneCycleLR's other way to say it
        missing = [name for name in missing if name != "total_steps"]
    return given | dict.fromkeys(missing, max(1, length))


def make_schedule(file: SectionFile, optimizer: torch.optim.Optimizer, recipe: Recipe, steps: int) -> Schedule | None:
    """The schedule over all steps; None for a constant learning rate."""
    if not recipe.schedule:
        return None
    schedule: Schedule = file.make_schedule(optimizer) if follows_metric(recipe) else file.make_schedule(optimizer, steps)
    return schedule


def follows_metric(recipe: Recipe) -> bool:
    """Whether the schedule is stepped at the end of each epoch, with the metric that `keep` names."""
    return any(scheduler_classes().get(key(stage.name).removesuffix("lr")) is lr_scheduler.ReduceLROnPlateau for stage in recipe.schedule)


def chosen_schedules(recipe: Recipe, steps: int) -> tuple[list[Chosen], list[int]]:
    """The schedulers of the stages, and the steps at which the second one and the later ones begin."""
    lengths = stage_lengths(recipe.schedule, steps)
    chosen = [_stage(stage, length) for stage, length in zip(recipe.schedule, lengths, strict=True)]
    for cls, options in chosen:
        if cls is lr_scheduler.ReduceLROnPlateau:  # it follows the metric that decides which weights are the best
            options.setdefault("mode", "max" if recipe.keep.higher else "min")
    return chosen, [sum(lengths[: i + 1]) for i in range(len(chosen) - 1)]


def _stage(stage: Named, length: int) -> Chosen:
    name = key(stage.name)
    if name in SHAPES:
        return SHAPES[name](length, stage)
    cls = scheduler_classes()[name.removesuffix("lr")]
    return cls, fill(cls, stage.values, length)


def stage_lengths(stages: tuple[Named, ...], steps: int) -> list[int]:
    """The number of steps of each stage of a schedule: what its first argument says, and for the last one what is left."""
    lengths = [int(s.positional[0].value) if s.positional else 0 for s in stages[:-1]]
    last = stages[-1]
    own = int(last.positional[0].value) if last.positional else max(1, steps - sum(lengths))
    return [*lengths, own]
