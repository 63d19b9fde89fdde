"""The part that all executors share whose trials run in other processes.

In: jobs of an engine, which a subclass submits, asks and stops. Out: the outcomes. Always: the folder of a run is all that is exchanged
while a trial runs. Its curve decides whether the trial is pruned, and a stopped job leaves a checkpoint in it.
"""

from __future__ import annotations

import math
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Any

from netc.compiler.errors.run_errors import RunError, WorkerLost
from netc.dsl.record import replace

from ..training.run_files import read_metrics
from ..training.stop_signals import StopRequest
from .run_trial import PRUNED, count_epochs
from .trial_executor import Ended, Watch
from .trials import Outcome, Trial, TrialEnd, TrialOrder

POLL_INTERVAL = 0.2
"""The seconds between two looks at all jobs."""
MAX_RESTARTS = 10
"""How often a job is submitted again that the engine has stopped."""


class RunningJob:
    """A trial, and its job in an engine. `seen` is the number of validations that have been watched."""

    def __init__(self, order: TrialOrder, job: Any) -> None:
        self.order, self.job = order, job
        self.seen = self.restarts = 0
        self.is_pruned = False
        self.stopped: float | None = None
        """When the job was asked to stop, in seconds of the monotonic clock."""


class PollingExecutor(ABC):
    """Runs trials as jobs of an engine. `status` is the exit code after a signal that asked to stop, 0 before."""

    stop_interval: float | None = None
    """The seconds after which a job is asked to stop again that has not; None for engines that need to be asked once."""

    def __init__(self, slots: int) -> None:
        self.slots, self.status = slots, 0
        self._jobs: dict[int, RunningJob] = {}

    @abstractmethod
    def _submit_job(self, order: TrialOrder) -> Any:
        """Submit the job of a trial."""

    @abstractmethod
    def _poll_job(self, order: TrialOrder, job: Any) -> Outcome | None:
        """Return the outcome of a job that has ended, else None. Raises `RunError` if its worker has died."""

    @abstractmethod
    def _stop_job(self, job: Any) -> None:
        """Ask a job to save a checkpoint and to end."""

    def start_trial(self, order: TrialOrder) -> None:
        self._jobs[order.trial.number] = RunningJob(order, self._submit_job(order))

    def wait_for_ends(self, watch: Watch) -> Ended:
        ended: Ended = []
        with StopRequest() as request:
            # after a signal, all jobs save a checkpoint and end
            while self._jobs and (not ended or self.status):
                ended += self._take_ended(watch)
                if request.number and not self.status:
                    self.status = 128 + request.number
                if self.status:
                    self._stop_jobs()
                if self._jobs and (not ended or self.status):
                    time.sleep(POLL_INTERVAL)
        return ended

    def _take_ended(self, watch: Watch) -> Iterator[tuple[Trial, Outcome]]:
        """Yield the trials whose jobs have ended, and watch the curves of the others."""
        for number, running in list(self._jobs.items()):
            outcome = self._find_outcome(running)
            self._watch_curve(running, watch)
            if outcome is None:
                if running.is_pruned:
                    self._request_stop(running)
                continue
            if outcome.end is TrialEnd.STOPPED and not running.is_pruned and not self.status and running.restarts < MAX_RESTARTS:
                running.restarts += 1
                running.stopped = None
                running.job = self._submit_job(running.order)
                continue
            del self._jobs[number]
            if running.is_pruned and outcome.end is TrialEnd.STOPPED:
                outcome = replace(outcome, end=TrialEnd.PRUNED, code=PRUNED, steps=outcome.steps or _find_last_step(running.order))
            yield running.order.trial, outcome

    def _stop_jobs(self) -> None:
        for running in self._jobs.values():
            self._request_stop(running)

    def _request_stop(self, running: RunningJob) -> None:
        """Ask a job to stop, and again after some time if its engine may have lost the request."""
        now = time.monotonic()
        if running.stopped is None or (self.stop_interval is not None and now > running.stopped + self.stop_interval):
            running.stopped = now
            self._stop_job(running.job)

    def _find_outcome(self, running: RunningJob) -> Outcome | None:
        """Return the outcome of a job that has ended. A worker that has died is a failure, which the same command continues."""
        try:
            return self._poll_job(running.order, running.job)
        except RunError as error:
            return Outcome(TrialEnd.FAILED, code=WorkerLost.code, error=error)

    def _watch_curve(self, running: RunningJob, watch: Watch) -> None:
        """Show the study the validations that are new in the folder of a run, and stop the job if the study prunes it."""
        curve = _read_curve(running.order)
        for entry in curve[running.seen :]:
            results = {name: math.nan if value is None else value for name, value in entry["validation"].items()}
            if watch(running.order.trial, count_epochs(entry["epoch"]), results) and not running.is_pruned:
                running.is_pruned = True
                self._request_stop(running)
        running.seen = len(curve)

    def close(self) -> None:
        """Stop the jobs that are left, which an error of this command has interrupted."""
        self._stop_jobs()
        self._jobs.clear()


def _read_curve(order: TrialOrder) -> list[dict[str, Any]]:
    """Return the validations of a trial's run."""
    return [entry for entry in read_metrics(order.trial.folder) if isinstance(entry.get("validation"), dict) and "epoch" in entry]


def _find_last_step(order: TrialOrder) -> int | None:
    curve = _read_curve(order)
    return curve[-1]["step"] if curve else None


def make_lost_error(trial: Trial, why: str) -> RunError:
    """Return the error of a worker that has died. `why` is what the engine says about it."""
    return RunError(WorkerLost(trial.folder, why))
