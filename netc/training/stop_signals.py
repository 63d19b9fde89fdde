"""Signals that ask a run to stop. The run checks for them between steps.

Always: after the first Ctrl-C or SIGTERM, the run completes its step; the second Ctrl-C raises `KeyboardInterrupt` immediately.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupted(Exception):
    """The run was asked to stop, and has saved a checkpoint. `exit_code` is the exit code of a process that the signal ends."""

    def __init__(self, folder: str, step: int, exit_code: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.folder = folder
        self.step = step
        self.exit_code = exit_code


class StopRequest:
    """A context in which `number` is the number of the received signal, 0 before."""

    def __init__(self) -> None:
        self.number = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
        # Python accepts signal handlers only in the main thread; `netc.train` may be called in another one, as in a notebook's server.
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
                self._previous[number] = signal.signal(number, self._handle_signal)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, previous in self._previous.items():
            signal.signal(number, previous)

    def _handle_signal(self, number: int, frame: FrameType | None) -> None:
        if self.number == signal.SIGINT and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.number = self.number or number
