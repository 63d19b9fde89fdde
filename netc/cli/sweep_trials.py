"""Run the trials of `netc sweep`, and report how each has ended.

In: a study and a sweep. Out: the outcomes. Always: an error of one trial is in its row, and the others go on. If the folder
of a trial has a run already, that run continues, so the same command continues a sweep that was stopped.
"""

from __future__ import annotations

import os
import sys
from shlex import quote
from typing import TYPE_CHECKING

import click

from netc.dsl.record import replace

from ..sweeping.run_study import StudyStopped, run_study
from ..sweeping.run_trial import measure_trial, train_trial
from ..sweeping.trial_executor import InProcessExecutor
from ..sweeping.trials import Outcome, Trial, TrialEnd, TrialOrder
from .exit_codes import report_exception
from .report import report_diagnostics
from .terminal import write_note, write_status

if TYPE_CHECKING:
    from ..sweeping.study import Study
    from ..sweeping.trial_executor import TrialExecutor
    from .search_study import Sweep


def run_trials(study: Study, sweep: Sweep) -> list[Outcome]:
    """Run the trials of a study that are left, and return their outcomes. A signal ends the command."""
    directory, wishes = os.getcwd(), dict(sweep.search.wishes)

    def make_order(trial: Trial) -> TrialOrder:
        choice = replace(sweep.choice, params=trial.values)
        return TrialOrder(trial, *sweep.spec, choice, sweep.search.section, wishes, directory)

    reporter = OutcomeReporter()
    try:
        run_study(study, _make_executor(sweep), make_order, reporter)
    except StudyStopped as stopped:
        for trial, outcome in stopped.trials:
            step = "" if outcome.steps is None else f" at step {outcome.steps}"
            write_status(f"stopped{step} of {quote(trial.folder)}; the same command continues")
        raise click.exceptions.Exit(stopped.status) from None
    return reporter.outcomes


def _make_executor(sweep: Sweep) -> TrialExecutor:
    engine = sweep.engine
    match engine.name:
        case "ray":
            from ..sweeping.ray_executor import RayExecutor

            return RayExecutor(engine.jobs, engine.options, sweep.search.wishes["device"] == "cuda")
        case "slurm" | "local":
            from ..sweeping.submitit_executor import SubmititExecutor

            return SubmititExecutor(engine.name, engine.jobs, engine.options, sweep.search.folder, sweep.search.wishes["device"] == "cuda")
    if sweep.search.trains:
        return InProcessExecutor(train_trial)
    return InProcessExecutor(lambda order, on_results: measure_trial(order, sweep.source, sweep.where))


class OutcomeReporter:
    """Reports the outcomes of trials on standard error, and keeps them."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self._has_diagnostics = False

    def __call__(self, trial: Trial, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        for note in outcome.notes:
            write_note(note)
        if not trial.folder:
            return
        if outcome.error is not None:
            write_status(f"{trial.folder}:")
            report_exception(outcome.error)
        elif outcome.end is TrialEnd.PRUNED:
            write_status(f"{trial.folder}: pruned at step {outcome.steps}")
        else:
            # the warnings of the spec once, not again for each trial
            report_diagnostics(() if self._has_diagnostics else outcome.diagnostics, "text", sys.stderr)
            self._has_diagnostics = True
            write_status(f"{trial.folder}: {outcome.summary}")
