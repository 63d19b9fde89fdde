"""The clauses of a section that have a number or a pattern: each is a constant of the file, and a tag of the template's lines.

In: a recipe, the means of the objective, and whether the file is for a run of `netc train`. Out: the constants and the tags that hold.
A new clause is a record in CONSTANTS, and its lines in template.py.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netc.compiler.analysis.means import Means
from netc.dsl.record import Record

from ..optimizers import follows_metric
from ..recipe import Recipe


class Constant(Record):
    """A constant of the file, whose name in lower case is a tag. It is absent where its value is None."""

    name: str
    value: Callable[[Recipe], Any]


CONSTANTS = (
    Constant("STEPS", lambda recipe: recipe.steps),
    Constant("EPOCHS", lambda recipe: recipe.epochs if recipe.steps is None else None),
    Constant("BATCH", lambda recipe: recipe.batch),
    Constant("ACCUMULATE", lambda recipe: recipe.accumulate if recipe.accumulate > 1 else None),
    Constant("CLIP_VALUE", lambda recipe: recipe.clip_value),
    Constant("CLIP_NORM", lambda recipe: recipe.clip_norm),
    Constant("EMA", lambda recipe: recipe.ema),
    Constant("FROZEN", lambda recipe: tuple(pattern.text for pattern in recipe.freeze) or None),
    Constant("SEED", lambda recipe: recipe.seed),
)


class Machine(Record):
    """What the file of a run of `netc train` depends on: the device, on how many replicas a step is computed and which one this is, and how
    many processes share each layer."""

    device: str = "cpu"
    replicas: int = 1
    replica: int = 0
    tensor: int = 1


def constants_of(recipe: Recipe) -> dict[str, Any]:
    """The values of the constants that a section has."""
    values = {constant.name: constant.value(recipe) for constant in CONSTANTS}
    return {name: value for name, value in values.items() if value is not None}


def tags_of(recipe: Recipe, means: Means, is_random: bool, machine: Machine | None) -> set[str]:
    """The tags of the template that hold; `machine` is None for a file of its own."""
    constants, plateau = constants_of(recipe), follows_metric(recipe)
    others = {
        "run": machine is not None,
        "processes": machine is not None and machine.replicas * machine.tensor > 1,
        "random": is_random,
        "parts": recipe.accumulate > 1,
        "repeated": means.finish is not None and (recipe.accumulate > 1 or (machine is not None and machine.replicas > 1)),
        "draws": bool(recipe.draws),
        "schedule": bool(recipe.schedule) and not plateau,
        "plateau": plateau,
        "validates": recipe.validates,
        "history": plateau and not recipe.validates,
        "held": recipe.validate is not None,
        "share": recipe.validate is None and bool(recipe.validation),
    }
    return {name.lower() for name in constants} | {name for name, is_on in others.items() if is_on}
