"""Show the progress of `netc train`: a live line in a terminal, a few lines in a pipe.

In: the reports of a training. Out: text on standard output. Always: each validation is a line that stays. Without a terminal, a report of
training steps is a line too if a tenth of all steps or half a minute has passed since the last line: a log stays short, and no job looks
stuck.

    epoch   1.00  step  320/9600  training: loss 0.2214  validation: loss 0.2009 accuracy 0.9375
"""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Any

from .terminal import has_colors, to_printable, write_text

if TYPE_CHECKING:
    from ..training.training_report import Report

LINES = 10
"""The least number of lines that a pipe gets."""
SILENCE = 30.0
"""Seconds after which a pipe gets the next report."""
SMOOTHING = 0.2
"""The weight of the newest measurement of the speed."""


class Progress:
    """A context manager that receives each report, and ends the live line when it exits."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._task: Any = None
        self._is_terminal = sys.stdout.isatty()
        self._last_report_time = self._last_line_time = time.monotonic()
        self._speed = 0.0
        self._last_line_step = 0
        self._pending: Report | None = None

    def __enter__(self) -> Progress:
        return self

    def __exit__(self, *_: object) -> None:
        self._write_pending()
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, report: Report) -> None:
        self._update_speed(report)
        if self._is_terminal and self._bar is None:
            self._start_bar(report)
        if report.validation:
            self._write_line(report, f"{self._take_training_results(report)}validation: {format_results(report)}")
            return
        # a report waits for the next one, because a validation at the same step takes its results into its own line
        self._write_pending()
        self._pending = report
        if self._bar is not None:
            self._bar.update(self._task, completed=report.step, words=to_printable(format_results(report)), speed=format_rate(self._speed))

    def _take_training_results(self, report: Report) -> str:
        """Return the training results of the validation's own step, so that both share one line instead of taking two."""
        before, self._pending = self._pending, None
        return f"training: {format_results(before)}  " if before is not None and before.step == report.step else ""

    def _write_pending(self) -> None:
        """Write the last report of training, which no validation followed, if no line was written for long."""
        report, self._pending = self._pending, None
        if report is None or self._bar is not None:
            return
        is_overdue = time.monotonic() - self._last_line_time >= SILENCE
        if is_overdue or report.step == report.steps or (report.step - self._last_line_step) * LINES >= report.steps:
            self._write_line(report, f"training: {format_results(report)}  {format_rate(self._speed)}")

    def _update_speed(self, report: Report) -> None:
        now = time.monotonic()
        # a coarse clock may show the same time twice, which gives no speed
        if report.samples and now > self._last_report_time:
            speed = report.samples / (now - self._last_report_time)
            self._speed = speed if not self._speed else (1 - SMOOTHING) * self._speed + SMOOTHING * speed
        self._last_report_time = now

    def _write_line(self, report: Report, text: str) -> None:
        self._last_line_step, self._last_line_time = report.step, time.monotonic()
        width = len(str(report.steps))
        line = to_printable(f"epoch {report.epoch:6.2f}  step {report.step:{width}}/{report.steps}  {text}".rstrip())
        if self._bar is None:
            write_text(line)
            sys.stdout.flush()
        else:
            # through the bar's console, which draws the bar again below the line
            self._bar.console.print(line, highlight=False, markup=False)

    def _start_bar(self, report: Report) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as Bar

        columns = ("{task.completed}/{task.total}", "{task.fields[words]}", "{task.fields[speed]}")
        console = Console(no_color=not has_colors(sys.stdout), highlight=False)
        # rich would take brackets in the name of a metric for markup
        texts = [TextColumn(c, markup=False) for c in columns]
        self._bar = Bar(BarColumn(24), *texts, TimeRemainingColumn(compact=True), console=console, transient=True)
        self._task = self._bar.add_task("", total=report.steps, words="", speed="")
        self._bar.start()


def format_results(report: Report) -> str:
    """Return the results as text: `loss 0.1157 accuracy 0.9554`."""
    return " ".join(f"{name} {value:.4g}" for name, value in report.results.items())


def format_rate(speed: float) -> str:
    """Return a speed in samples per second as text, or nothing while it is not known."""
    return f"{speed:,.0f} samples/s" if speed >= 10 else f"{speed:.2g} samples/s" if speed else ""
