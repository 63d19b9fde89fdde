"""The protocol of an executor, which runs trials, and the executor that runs them in this process, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from .run_trial import OnResults
from .trials import Outcome, Trial, TrialOrder

Ended = list[tuple[Trial, Outcome]]
Watch = Callable[[Trial, int, dict[str, float]], bool]
"""Receives the epoch and the results of each validation of a trial. Returns whether the trial is pruned."""


class TrialExecutor(Protocol):
    """Runs trials, at most `slots` at a time. `status` is the exit code after a signal that asked the executor to stop, else 0."""

    slots: int
    status: int

    def start_trial(self, order: TrialOrder) -> None:
        """Start a trial."""

    def wait_for_ends(self, watch: Watch) -> Ended:
        """Wait until a trial ends or a signal asks this process to stop. Return the trials that have ended."""

    def close(self) -> None:
        """Release the machines."""


class InProcessExecutor:
    """Runs each trial in this process. `run` trains, or computes costs."""

    slots = 1
    status = 0  # a signal stops the trial itself, whose outcome has the exit code

    def __init__(self, run: Callable[[TrialOrder, OnResults], Outcome]) -> None:
        self._run = run
        self._orders: list[TrialOrder] = []

    def start_trial(self, order: TrialOrder) -> None:
        self._orders.append(order)

    def wait_for_ends(self, watch: Watch) -> Ended:
        order = self._orders.pop(0)
        return [(order.trial, self._run(order, lambda epoch, results: watch(order.trial, epoch, results)))]

    def close(self) -> None:
        """Do nothing: there is no machine to release."""
