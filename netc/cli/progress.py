"""What `netc train` shows while it runs: a live line in a terminal, a few lines in a pipe.

In: the reports of a training. Out: text. Always: each validation is a line that stays; without a terminal, so is a report of
steps where there was no line for a tenth of them, or for half a minute.
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from .terminal import colored, visible, write

if TYPE_CHECKING:
    from ..training.loop import Report

LINES = 10
"""The least number of lines that a pipe gets."""
SILENCE = 30.0
"""Seconds after which a pipe gets the next report."""
SMOOTHING = 0.2
"""The weight of the newest measurement of the speed."""


class Progress:
    """Called with each report; a context manager, which ends the live line."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._live = sys.stdout.isatty()
        self._before = self._spoke = time.monotonic()
        self._speed = 0.0
        self._shown = 0
        self._waiting: Report | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._flush()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, report: Report) -> None:
        self._measure(report)
        if self._live and self._bar is None:
            self._start(report)
        if report.validation:
            self._line(report, f"{self._waiting_for(report)}validation: {words(report)}")
            return
        self._flush()
        self._waiting = report
        if self._bar is not None:
            self._bar.update(self._task, completed=report.step, words=visible(words(report)), speed=rate(self._speed))

    def _waiting_for(self, report: Report) -> str:
        """What the training gave at the step of a validation."""
        before, self._waiting = self._waiting, None
        return f"training: {words(before)}  " if before is not None and before.step == report.step else ""

    def _flush(self) -> None:
        """The report of training that no validation followed, where there was no line for long."""
        report, self._waiting = self._waiting, None
        if report is None or self._bar is not None:
            return
        waited = time.monotonic() - self._spoke >= SILENCE
        if waited or report.step == report.steps or (report.step - self._shown) * LINES >= report.steps:
            self._line(report, f"training: {words(report)}  {rate(self._speed)}")

    def _measure(self, report: Report) -> None:
        now = time.monotonic()
        if report.samples and now > self._before:
            speed = report.samples / (now - self._before)
            self._speed = speed if not self._speed else (1 - SMOOTHING) * self._speed + SMOOTHING * speed
        self._before = now

    def _line(self, report: Report, text: str) -> None:
        self._shown, self._spoke = report.step, time.monotonic()
        width = len(str(report.steps))
        line = visible(f"epoch {report.epoch:6.2f}  step {report.step:{width}}/{report.steps}  {text}".rstrip())
        if self._bar is None:
            write(line)
            sys.stdout.flush()
        else:
            self._bar.console.print(line, highlight=False, markup=False)

    def _start(self, report: Report) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = ("{task.completed}/{task.total}", "{task.fields[words]}", "{task.fields[speed]}")
        console = Console(no_color=not colored(sys.stdout), highlight=False)
        texts = [TextColumn(c, markup=False) for c in columns]
        self._bar = Bar(BarColumn(24), *texts, TimeRemainingColumn(compact=True), console=console, transient=True)
        self._task = self._bar.add_task("", total=report.steps, words="", speed="")
        self._bar.start()


def words(report: Report) -> str:
    """The results: `loss 0.1157 accuracy 0.9554`."""
    return " ".join(f"{name} {value:.4g}" for name, value in report.results.items())


def rate(speed: float) -> str:
    """Samples a second."""
    return f"{speed:,.0f} samples/s" if speed >= 10 else f"{speed:.2g} samples/s" if speed else ""
