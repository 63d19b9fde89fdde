"""The constants and tags of a section. A clause with a number or a pattern is a constant of the file and a tag of the template's lines.

In: a recipe, the means of the objective, and the machine if the file is for a run of `netc train`. Out: the constants and the tags that
the section has. A new clause is a record in CONSTANTS, and its lines in torch_template/.

    >>> from netc.analysis import Choice, analyze_training
    >>> from netc.dsl.source import SourceFile
    >>> from netc.training.recipe import read_recipe
    >>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd; epochs 5; ema 0.9 }"
    >>> read_constants(read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)[0])
    {'EPOCHS': 5, 'BATCH': 32, 'EMA': 0.9, 'SEED': 0}
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from netc.compiler.objectives.means import MeanDecomposition
from netc.dsl.record import Record

from ..optimizers import follows_metric
from ..recipe import Recipe


class ClauseConstant(Record):
    """A constant of the file, whose name in lower case is a tag. It is absent where its value is None."""

    name: str
    value: Callable[[Recipe], Any]


CONSTANTS = (
    ClauseConstant("STEPS", lambda recipe: recipe.steps),
    ClauseConstant("EPOCHS", lambda recipe: recipe.epochs if recipe.steps is None else None),
    ClauseConstant("BATCH", lambda recipe: recipe.batch),
    ClauseConstant("ACCUMULATE", lambda recipe: recipe.accumulate if recipe.accumulate > 1 else None),
    ClauseConstant("CLIP_VALUE", lambda recipe: recipe.clip_value),
    ClauseConstant("CLIP_NORM", lambda recipe: recipe.clip_norm),
    ClauseConstant("EMA", lambda recipe: recipe.ema),
    ClauseConstant("FROZEN", lambda recipe: tuple(pattern.text for pattern in recipe.frozen) or None),
    ClauseConstant("LOSSES", lambda recipe: {rule.loss: rule.steps for rule in recipe.minimized} or None),
    ClauseConstant("TRAINED", lambda recipe: {rule.loss: tuple(p.text for p in rule.patterns) for rule in recipe.minimized} or None),
    ClauseConstant("FOLLOWED", lambda recipe: tuple((r.follower.text, r.followed.text, r.decay, r.every) for r in recipe.follows) or None),
    ClauseConstant("CONSTANTS", lambda recipe: list_constants(recipe) or None),
    ClauseConstant("PATIENCE", lambda recipe: recipe.stop.patience if recipe.stop is not None else None),
    ClauseConstant("MIN_DELTA", lambda recipe: (recipe.stop.min_delta or None) if recipe.stop is not None else None),
    ClauseConstant("STRATIFY", lambda recipe: recipe.stratify.input if recipe.stratify is not None and recipe.validation else None),
    ClauseConstant("WEIGHTS", lambda recipe: recipe.weights or None),
    ClauseConstant("SEED", lambda recipe: recipe.seed),
)


def list_constants(recipe: Recipe) -> tuple[str, ...]:
    """List the computed inputs that are the same for all samples of a batch."""
    return (*(rule.input for rule in recipe.balances), *(rule.input for rule in recipe.varied))


class Machine(Record):
    """What the text for `netc train` depends on: the device, the number of replicas, the number of this process among those that draw other
    random numbers, the number `tensor` of processes that share a replica, whether they have stages of the model, and whether the model is
    compiled as a whole."""

    device: str = "cpu"
    replicas: int = 1
    replica: int = 0
    tensor: int = 1
    pipeline: bool = False
    compiled: bool = False


def read_constants(recipe: Recipe) -> dict[str, Any]:
    """Return the constants of a section with their values."""
    values = {constant.name: constant.value(recipe) for constant in CONSTANTS}
    return {name: value for name, value in values.items() if value is not None}


def select_tags(recipe: Recipe, means: MeanDecomposition, is_random: bool, is_fitted: bool, machine: Machine | None) -> set[str]:
    """Return the tags of a section. `is_fitted`: its model has `standardize`; `machine` is None for a file that runs alone."""
    constants, plateau = read_constants(recipe), follows_metric(recipe)
    others = {
        "run": machine is not None,
        "processes": machine is not None and machine.replicas * machine.tensor > 1,
        "random": is_random,
        "parts": recipe.accumulate > 1 or (machine is not None and machine.pipeline),
        "pipeline": machine is not None and machine.pipeline,
        "repeated": means.finish is not None and (recipe.accumulate > 1 or (machine is not None and machine.replicas > 1)),
        "draws": bool(recipe.draws),
        "augment": bool(recipe.augmentations),
        "balance": bool(recipe.balances),
        "varied": bool(recipe.varied),
        "sources": len(recipe.sources) > 1,
        "standardize": is_fitted,
        "schedule": bool(recipe.schedule) and not plateau,
        "plateau": plateau,
        "validates": recipe.validates,
        "history": plateau and not recipe.validates,
        "held": recipe.validate is not None,
        "last": recipe.keep.is_last,
        "share": recipe.validate is None and bool(recipe.validation),
    }
    return {name.lower() for name in constants} | {name for name, is_on in others.items() if is_on}
