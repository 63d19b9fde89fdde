"""A small spec for sweeps, and commands that run them: shared by the tests of studies and of engines."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from netc.cli import cli
from tests.training.runs import samples

SPEC = """
model net(width=4) {
  features = input 6
  scores = features -> dense width relu -> dropout 0.3 -> dense 3
}
train net(rate=1e-2) {
  target = input [] int64
  loss = (scores, target) -> cross_entropy
  metric accuracy = (scores -> argmax axis=1) == target -> cast float32 -> mean
  optimizer sgd lr=rate
  epochs 3
  batch 16
  validate 0.2
}
"""


def write_project(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the spec and its data into the folder, and make it the current one."""
    monkeypatch.chdir(folder)
    np.savez("data.npz", **samples())
    Path("net.net").write_text(SPEC, encoding="utf-8")


def netc(*words: str) -> Result:
    return CliRunner().invoke(cli, [*words], catch_exceptions=False)


def words(*more: str, runs: str = "runs") -> list[str]:
    return ["sweep", "net.net", "--train", "-o", runs, "--data", "data.npz", *more]


def rows(done: Result) -> list[dict[str, Any]]:
    parsed: list[dict[str, Any]] = json.loads(done.stdout)
    return parsed


def strip_runs(table: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "run"} for row in table]


def start(*more: str) -> subprocess.Popen[str]:
    """A sweep in a process group of its own, as in a terminal."""
    command = [sys.executable, "-m", "netc", *words(*more)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True)


def wait_until(holds: Callable[[], bool]) -> None:
    for _ in range(6000):
        if holds():
            return
        time.sleep(0.02)
    raise AssertionError("it did not happen in two minutes")
