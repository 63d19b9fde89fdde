"""Which process runs a trial, as locks in the folder of the runs.

In: the folder of the runs. Out: contexts. Always: the locks are the operating system's, so a killed process holds none, and the next
command continues its trials at once. No process waits for a heartbeat to stop.

The hidden folder `.study` has a folder with the locks for each study. The file `place` in it has a random name, which tells trials of this
folder from trials of other folders, such as those on another machine: only who has the run's folder can continue it exactly.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from netc.compiler.errors.run_errors import RunError

from ..training.run_lock import lock_folder

FOLDER, PLACE = ".study", "place"
POLL_INTERVAL = 0.02
"""The seconds between two attempts to get the lock of the folder, which a process holds while it chooses a trial."""


class TrialClaims:
    """The locks of the trials of a study in one folder of runs."""

    def __init__(self, runs: str, study: str) -> None:
        self._folder = Path(runs) / FOLDER / study
        self._claims: dict[int, ExitStack] = {}
        self._folder.mkdir(parents=True, exist_ok=True)
        with self.hold_folder():
            self.place = self._read_place()

    def _read_place(self) -> str:
        path = self._folder / PLACE
        if not path.exists():
            path.write_text(uuid.uuid4().hex, encoding="ascii")
        return path.read_text(encoding="ascii")

    @contextmanager
    def hold_folder(self) -> Iterator[None]:
        """Hold the lock of the folder, and wait for it if another process chooses a trial."""
        with ExitStack() as stack:
            while True:
                try:
                    stack.enter_context(lock_folder(self._folder))
                    break
                except RunError:
                    time.sleep(POLL_INTERVAL)
            yield

    def claim_trial(self, number: int) -> bool:
        """Claim a trial until `release_trial`. Return False if another process has it."""
        if number in self._claims:
            return False
        folder = self._folder / str(number)
        os.makedirs(folder, exist_ok=True)
        stack = ExitStack()
        try:
            stack.enter_context(lock_folder(folder))
        except RunError:
            return False
        self._claims[number] = stack
        return True

    def is_free(self, number: int) -> bool:
        """Whether no process has claimed a trial."""
        if not self.claim_trial(number):
            return False
        self.release_trial(number)
        return True

    def release_trial(self, number: int) -> None:
        """Release a trial that this process has claimed."""
        self._claims.pop(number).close()
