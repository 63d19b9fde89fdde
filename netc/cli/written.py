"""What `netc compile` shows while it writes a large file: a bar in a terminal, nothing elsewhere.

In: the bytes that are written, and those that there will be. Out: a bar on standard error, which is gone in the end. Always: nothing is
shown of files that are written at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .terminal import colored

LEAST = 200_000_000
"""Bytes of a file that is worth a bar."""


@contextmanager
def writing_shown() -> Iterator[Callable[[int, int], None] | None]:
    """What is to be called while a file is written; None where nobody looks."""
    if not sys.stderr.isatty():
        yield None
        return
    bar = _Bar()
    try:
        yield bar
    finally:
        bar.stop()


class _Bar:
    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: int, total: int) -> None:
        if total < LEAST:
            return
        if self._bar is None:
            self._start(total)
        self._bar.update(self._task, completed=done)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        console = Console(file=sys.stderr, no_color=not colored(sys.stderr), highlight=False)
        columns = (BarColumn(24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(compact=True))
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=total)
        self._bar.start()
