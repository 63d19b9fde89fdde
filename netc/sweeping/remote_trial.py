"""Run a trial in a worker, which has been started by an engine such as Ray."""

from __future__ import annotations

import os
import time
from contextlib import suppress

from netc.compiler.errors.run_errors import RunLocked

from .run_trial import make_portable, train_trial
from .trials import Outcome, TrialOrder

WAIT_FOR_RUN = 1.0
"""The seconds between two attempts to continue a run that another worker is training."""


def run_remote_trial(order: TrialOrder) -> Outcome:
    """Train in the directory of the command. The command prunes: it sees the curve in the folder of the run.

    If a command was killed, its workers may go on for a while. The worker of the next command then waits, and returns their results.
    """
    with suppress(OSError):  # a machine without this directory has the files at absolute paths, or says what it lacks
        os.chdir(order.directory)
    while True:
        outcome = train_trial(order, lambda epoch, results: False)
        if outcome.code != RunLocked.code:
            return make_portable(outcome)
        time.sleep(WAIT_FOR_RUN)
