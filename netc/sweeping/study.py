"""The protocol of a study, which chooses the values of trials and keeps their outcomes."""

from __future__ import annotations

from typing import Protocol

from .trials import Outcome, Trial

Row = dict[str, object]
"""A trial in the table of a sweep: its values, the results, the code of the error or None, and the folder of the run."""
ERROR = "error"


class Study(Protocol):
    """Chooses the values of trials, one after the other, and keeps the outcomes."""

    def next_trial(self) -> Trial | None:
        """Return a trial that no other process runs, or None if all have been run."""

    def report_results(self, trial: Trial, epoch: int, results: dict[str, float]) -> bool:
        """Add the results of the validation after an epoch. Return whether the trial is to be pruned."""

    def finish_trial(self, trial: Trial, outcome: Outcome) -> None:
        """Add the outcome of a trial. A stopped trial is returned by `next_trial` later, perhaps in another process."""

    def list_rows(self) -> list[Row]:
        """Return a row for each trial of the study, in the order of their numbers."""

    def close(self) -> None:
        """Give up the trials that this process has not finished, so that another one can continue them."""


def make_row(trial: Trial, outcome: Outcome | None, with_run: bool) -> Row:
    """Return the row of a trial. Without an outcome, another process runs the trial."""
    if outcome is None:
        return {**trial.texts, "parameters": None, "steps": None, ERROR: "running", "run": trial.folder}
    if not with_run:
        return {**trial.texts, **(outcome.results or {}), ERROR: outcome.code}
    size_and_steps = {"parameters": outcome.parameters, "steps": outcome.steps}
    return {**trial.texts, **size_and_steps, **(outcome.results or {}), ERROR: outcome.code, "run": trial.folder}


def complete_rows(rows: list[Row]) -> list[Row]:
    """Give all rows the same keys, as a CSV needs them: a failed trial has no results."""
    last = (ERROR, "run")
    names = list(dict.fromkeys(name for row in rows for name in row if name not in last))
    names += [name for name in last if any(name in row for row in rows)]
    return [{name: row.get(name) for name in names} for row in rows]
