"""Show a progress bar while `netc compile` writes a large file.

In: the bytes written so far, and the total. Out: a bar on standard error, which disappears at the end. Always: there is no bar outside of
a terminal, nor for a file that is written at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .terminal import has_colors

MIN_BYTES = 200_000_000
"""The least bytes of a file that gets a bar."""


@contextmanager
def show_write_progress() -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function to call while a file is written, or None outside of a terminal."""
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
        if total < MIN_BYTES:
            return
        if self._bar is None:
            self._start_bar(total)
        self._bar.update(self._task, completed=done)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start_bar(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TimeRemainingColumn, TransferSpeedColumn

        console = Console(file=sys.stderr, no_color=not has_colors(sys.stderr), highlight=False)
        columns = (BarColumn(24), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn(compact=True))
        self._bar = Progress(*columns, console=console, transient=True)
        self._task = self._bar.add_task("", total=total)
        self._bar.start()
