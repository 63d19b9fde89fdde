"""What `netc train` writes into a pipe."""

from __future__ import annotations

import pytest

from netc.cli import progress
from netc.cli.progress import Progress
from netc.training.training_report import Report


def shown(times: list[float], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, steps: int = 1000) -> list[int]:
    """The steps of which there are lines, of reports after each step at these times."""
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    with Progress() as receiver:
        for step, now[0] in enumerate(times, 1):
            receiver(Report(step, step / 100, {"loss": 1.0}, 0.1, samples=8, steps=steps))
    return [int(line.split("step")[1].split("/")[0]) for line in capsys.readouterr().out.splitlines()]


def test_a_tenth_of_the_steps(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown([0.01 * step for step in range(1000)], capsys, monkeypatch) == list(range(100, 1001, 100))


def test_slow_steps_are_reported_by_time(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    assert shown([20.0 * step for step in range(1, 7)], capsys, monkeypatch) == [1, 3, 5]
