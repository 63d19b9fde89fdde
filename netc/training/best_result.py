"""The best result of a run so far, and whether to stop because it no longer improves.

In: the metric of `keep` after each validation. Out: whether it is the best one, and whether the run stops early. Always: the decision
depends on the results alone, so all processes of a run decide the same, and a resumed run decides as an uninterrupted one.

For example, with `keep best accuracy` and `stop patience=2`, the accuracies 0.7, 0.9, 0.8 and 0.9 stop the run after the fourth validation,
and the parameters after the second are kept.
"""

from __future__ import annotations

import math
from typing import Any

from .recipe import Recipe
from .section_file import SectionFile


class BestResult:
    """The best value of the metric of `keep`, and the step of it. `watched` is the value that `stop` compares with, and `waited` the number
    of validations since."""

    def __init__(self, recipe: Recipe, file: SectionFile) -> None:
        self.keep, self.stop, self.file = recipe.keep, recipe.stop, file
        self.value = self.watched = -math.inf if recipe.keep.higher else math.inf
        self.step = self.waited = 0

    @property
    def is_stalled(self) -> bool:
        """Whether the patience of `stop` is exhausted."""
        return self.stop is not None and self.waited >= self.stop.patience

    def add_result(self, value: float, step: int) -> bool:
        """Add the metric after a step. Return whether it is the best one."""
        if self.stop is not None:
            self.watched, self.waited = self.file.update_patience(value, self.watched, self.waited)
        is_best = self.keep.is_last or (value > self.value if self.keep.higher else value < self.value)
        if is_best:
            self.value, self.step = value, step
        return is_best

    def describe(self, value: float, step: int, steps: int) -> str:
        """Describe how a run of at most `steps` steps ended at this step, with this last value; empty if it ended with the best value."""
        stopped = f"stopped early at step {step} of {steps}; " if self.is_stalled and step < steps else ""
        if not self.step or (value == self.value and not stopped):
            return stopped.removesuffix("; ")
        best = "highest" if self.keep.higher else "lowest"
        return f"{stopped}the {best} {self.keep.metric} was {self.value:.4g}, at step {self.step}"

    def state_dict(self) -> dict[str, Any]:
        return {"best": self.value, "best_step": self.step, "watched": self.watched, "waited": self.waited}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.value, self.step = float(state["best"]), int(state.get("best_step", 0))
        self.watched, self.waited = float(state.get("watched", self.watched)), int(state.get("waited", 0))
