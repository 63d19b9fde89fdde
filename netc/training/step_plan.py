"""Plan the steps of a run: how many there are, in an epoch and in total, and when to report.

>>> from netc.analysis import Choice, analyze_training
>>> from netc.dsl.source import SourceFile
>>> from netc.training.recipe import read_recipe
>>> text = "y = input 3 -> dense 1; train { t = input 1; loss = (y, t) -> mse_loss; optimizer sgd; batch 32; epochs 5 }"
>>> recipe, _ = read_recipe(analyze_training(SourceFile("<text>", text), Choice()).training)
>>> plan = plan_steps(recipe, samples=1000)
>>> plan.per_epoch, plan.steps
(32, 160)
"""

from __future__ import annotations

from netc.dsl.record import Record

from .recipe import Recipe


class StepPlan(Record):
    """The number of steps in total and in an epoch, and between two reports."""

    steps: int
    per_epoch: int
    report_every: int


def plan_steps(recipe: Recipe, samples: int) -> StepPlan:
    """Plan about 100 reports in a run, at least one in an epoch, and at least one in 100 steps."""
    per_epoch = -(-samples // recipe.batch)
    steps = recipe.count_steps(samples)
    return StepPlan(steps, per_epoch, max(1, min(per_epoch, steps // 100 or 1, 100)))
