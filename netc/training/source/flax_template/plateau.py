"""Change the learning rate with a metric, and stand for the functions that make the optimizer and the schedule."""

# mypy: ignore-errors

from __future__ import annotations

import math
from typing import Any

import jax
import optax

# --- the file --------------------------------------------------------------------------------------------------------------


class Plateau:
    """Reduces the learning rate if a metric has stopped improving, by the rules of PyTorch's ReduceLROnPlateau."""

    def __init__(
        self,
        lr: float,
        mode: str,
        factor: float = 0.1,
        patience: int = 10,
        threshold: float = 1e-4,
        threshold_mode: str = "rel",
        cooldown: int = 0,
        min_lr: float = 0.0,
        eps: float = 1e-8,
    ) -> None:
        self.lr, self.first_lr, self.factor, self.min_lr, self.eps = lr, lr, factor, min_lr, eps
        self.sign = -1 if mode == "max" else 1
        self.patience, self.cooldown, self.threshold = patience, cooldown, threshold
        self.is_relative = threshold_mode == "rel"
        self.best, self.waited, self.resting = math.inf, 0, 0

    @property
    def scale(self) -> float:
        """The factor of the optimizer's learning rate."""
        return self.lr / self.first_lr

    def step(self, metric: float) -> None:
        """Reduce the learning rate if the metric has not improved for long enough."""
        cost = self.sign * float(metric)
        limit = self.best * (1 - self.sign * self.threshold) if self.is_relative else self.best - self.threshold
        self.best, self.waited = (cost, 0) if cost < limit else (self.best, self.waited + 1)
        if self.resting:
            self.resting, self.waited = self.resting - 1, 0
        if self.waited > self.patience:
            lr = max(self.lr * self.factor, self.min_lr)
            self.lr = lr if self.lr - lr > self.eps else self.lr
            self.resting, self.waited = self.cooldown, 0


def scale_by_plateau() -> optax.GradientTransformationExtraArgs:
    """Multiply the updates by the `scale` that `update` is called with."""

    def update(updates: Any, state: Any, params: Any = None, *, scale: float, **_: Any) -> tuple[Any, Any]:
        return jax.tree.map(lambda update: scale * update, updates), state

    return optax.GradientTransformationExtraArgs(lambda params: optax.EmptyState(), update)


# generated: make_optimizer


# generated: make_schedule
