"""Show a progress bar while `netc compile` writes a large file, and while `netc predict` computes many samples.

In: the bytes or samples so far, and the total. Out: a bar on standard error, which disappears at the end. Always: there is no bar outside
of a terminal, nor for work that is done at once.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager
from typing import Any, TypeVar

from .terminal import has_colors

MIN_BYTES = 200_000_000
"""The least bytes of a file that gets a bar."""
_MIN_SAMPLES = 1000
"""The least samples that get a bar."""
V = TypeVar("V", bound=Sized)


@contextmanager
def show_write_progress() -> Iterator[Callable[[int, int], None] | None]:
    """Yield a function to call while a file is written, or None outside of a terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.progress import DownloadColumn, TransferSpeedColumn

    bar = _Bar(MIN_BYTES, DownloadColumn(), TransferSpeedColumn())
    try:
        yield bar
    finally:
        bar.stop()


@contextmanager
def show_sample_progress(total: int) -> Iterator[Callable[[Iterable[V]], Iterable[V]]]:
    """Yield a function that counts the samples of batches as they pass. Outside of a terminal it returns the batches."""
    if not sys.stderr.isatty():
        yield lambda batches: batches
        return
    from rich.progress import MofNCompleteColumn

    bar = _Bar(_MIN_SAMPLES, MofNCompleteColumn())

    def count_samples(batches: Iterable[V]) -> Iterable[V]:
        done = 0
        for batch in batches:
            yield batch
            # counted after `yield`, when the batch has been written
            done += len(batch)
            bar(done, total)

    try:
        yield count_samples
    finally:
        bar.stop()


class _Bar:
    def __init__(self, minimum: int, *columns: Any) -> None:
        self._minimum, self._columns = minimum, columns
        self._bar: Any = None
        self._task: Any = None

    def __call__(self, done: int, total: int) -> None:
        if total < self._minimum:
            return
        if self._bar is None:
            self._start_bar(total)
        self._bar.update(self._task, completed=done)

    def stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()

    def _start_bar(self, total: int) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TimeRemainingColumn

        console = Console(file=sys.stderr, no_color=not has_colors(sys.stderr), highlight=False)
        self._bar = Progress(BarColumn(24), *self._columns, TimeRemainingColumn(compact=True), console=console, transient=True)
        self._task = self._bar.add_task("", total=total)
        self._bar.start()
