"""Signals that ask a run to stop, heeded between steps.

Always: the first Ctrl-C, or SIGTERM, is noted and the step is completed; the second Ctrl-C raises `KeyboardInterrupt` at once.
"""

from __future__ import annotations

import signal
import threading
from types import FrameType, TracebackType
from typing import Any


class Interrupted(Exception):
    """A run that was asked to stop, and has saved a checkpoint. `exit_code` is that of a process which the signal ends."""

    def __init__(self, folder: str, step: int, exit_code: int) -> None:
        super().__init__(f"stopped at step {step}")
        self.folder = folder
        self.step = step
        self.exit_code = exit_code


class StopRequest:
    """A context in which `number` is that of the signal that was received, 0 before one."""

    def __init__(self) -> None:
        self.number = 0
        self._previous: dict[int, Any] = {}

    def __enter__(self) -> StopRequest:
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
