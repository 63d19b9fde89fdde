"""Run the trials of a study with an executor.

In: a study, an executor, and a function that makes the order of a trial. Out: nothing; the study has the outcomes. Always: at most
`executor.slots` trials run at a time, and a trial that a signal has stopped is given back to the study.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .study import Study
from .trial_executor import TrialExecutor
from .trials import Outcome, Trial, TrialEnd, TrialOrder


class StudyStopped(Exception):
    """A signal has stopped the study. The same command continues it. `status` is the exit code of a process that the signal ends, and
    `trials` are the trials that it has stopped, which have saved checkpoints."""

    def __init__(self, status: int, trials: Sequence[tuple[Trial, Outcome]]) -> None:
        super().__init__(f"stopped {len(trials)} trials")
        self.status, self.trials = status, tuple(trials)


def run_study(
    study: Study, executor: TrialExecutor, make_order: Callable[[Trial], TrialOrder], on_end: Callable[[Trial, Outcome], None]
) -> None:
    """Run all trials. `on_end` receives each outcome. Raises `StudyStopped` after a signal."""
    running = status = 0
    stopped: list[tuple[Trial, Outcome]] = []
    try:
        while True:
            while not status and running < executor.slots and (trial := study.next_trial()) is not None:
                executor.start_trial(make_order(trial))
                running += 1
            if not running:
                break
            for trial, outcome in executor.wait_for_ends(study.report_results):
                running -= 1
                study.finish_trial(trial, outcome)
                if outcome.end is TrialEnd.STOPPED:
                    status = outcome.status
                    stopped.append((trial, outcome))
                else:
                    on_end(trial, outcome)
            status = executor.status or status
    finally:
        executor.close()
        study.close()
    if status:
        raise StudyStopped(status, stopped)
