"""A trial: a choice of values, where it runs, and how it ended. Studies choose trials, executors run them.

Everything here can be pickled, because a trial may run in another process or on another machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import Any

from netc.dsl.diagnostics import Diagnostic
from netc.dsl.record import Record

from ..analysis import Choice


class Trial(Record):
    """The values of one trial. `texts` has them for tables and names of folders. `folder` is the folder of the run, or "" for a trial that
    trains nothing."""

    number: int
    texts: dict[str, Any]
    values: dict[str, object]
    folder: str


class TrialEnd(Enum):
    """How a trial ended."""

    DONE = "done"
    PRUNED = "pruned"
    """The study stopped it early, because others were better at the same step."""
    REFUSED = "refused"
    """The values make no network, or their loss is not finite. Another attempt would end in the same way."""
    FAILED = "failed"
    """The reason is not in the values: data that is missing, or a worker that died. Another attempt may succeed."""
    STOPPED = "stopped"
    """It was asked to stop, and has saved a checkpoint."""


class Outcome(Record):
    """How a trial ended. Costs with symbolic sizes are texts.

    `results`, `parameters` and `steps` are None where there are none. `error` is what went
    wrong, and `code` its code. `status` is the exit code of a process that the signal ends which stopped the trial."""

    end: TrialEnd
    results: Mapping[str, float | str] | None = None
    parameters: int | None = None
    steps: int | None = None
    code: str | None = None
    error: Exception | None = None
    diagnostics: tuple[Diagnostic, ...] = ()
    notes: tuple[str, ...] = ()
    summary: str = ""
    status: int = 0


class TrialOrder(Record):
    """Everything that a process needs to run a trial. Paths are relative to `directory`. `wishes` are the keyword arguments of
    `train_file`."""

    trial: Trial
    path: str | None
    text: str | None
    choice: Choice
    section: str | None
    wishes: dict[str, Any]
    directory: str
