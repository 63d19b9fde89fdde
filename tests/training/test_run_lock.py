"""A run is trained by one process at a time, and what belongs to a run is not changed when it goes on."""

from __future__ import annotations

import json
import os
import pickle
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import netc
from netc.cli import cli
from netc.compiler.errors.run_errors import RunError, RunLocked
from netc.training.data.data_source import ArraySource
from netc.training.run_lock import LOCK, lock_folder
from netc.training.stop_signals import Interrupted
from tests.training.runs import SPEC, resume, samples, train
from tests.training.test_ranks import train as train_ranks
from tests.training.test_resume import assert_same_run, stopping_at

HOLDER = """
import sys
from pathlib import Path
from netc.training.run_lock import lock_folder
with lock_folder(Path(sys.argv[1])):
    print("locked", flush=True)
    sys.stdin.read()
"""


def holder(folder: Path) -> subprocess.Popen[bytes]:
    """Another process, once it has the lock."""
    process = subprocess.Popen([sys.executable, "-c", HOLDER, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"locked\n"
    return process


@pytest.fixture
def stopped(tmp_path: Path) -> Path:
    """A run that was stopped in its second epoch."""
    with pytest.raises(Interrupted):
        train(tmp_path / "run", on_report=stopping_at(7))
    return tmp_path / "run"


def test_two_processes_do_not_go_on_with_one_run(stopped: Path) -> None:
    process = holder(stopped)
    before = (stopped / "metrics.jsonl").read_bytes()
    with pytest.raises(RunError) as caught:
        resume(stopped)
    assert caught.value.problem == RunLocked(str(stopped), process.pid)
    assert f"kill {process.pid}" in str(caught.value)
    assert (stopped / "metrics.jsonl").read_bytes() == before
    process.kill()  # a process that is killed has no lock
    process.wait()
    assert resume(stopped).steps == 20


def test_two_runs_of_one_process(tmp_path: Path) -> None:
    """Threads of a program, or a training within a report of another."""
    (tmp_path / "run").mkdir()
    with lock_folder(tmp_path / "run"):
        with pytest.raises(RunError, match=f"process {os.getpid()} is training"), lock_folder(tmp_path / "run"):
            pass
        with lock_folder(tmp_path):
            pass
    with lock_folder(tmp_path / "run"):
        assert json.loads((tmp_path / "run" / LOCK).read_bytes())["process"] == os.getpid()


def test_a_new_run_is_locked_too(tmp_path: Path) -> None:
    said: list[str] = []

    def on_report(report: object) -> None:
        with pytest.raises(RunError) as caught:
            resume(tmp_path / "run")
        said.append(caught.value.problem.code)

    train(tmp_path / "run", on_report=on_report, steps=1)
    assert said
    assert set(said) == {"run-locked"}
    assert resume(tmp_path / "run").steps == 1


def test_an_error_of_the_first_process_reaches_the_others() -> None:
    error = RunError(RunLocked("run", 12, "there"))
    found = pickle.loads(pickle.dumps(error))
    assert (type(found), str(found), found.problem) == (RunError, str(error), error.problem)


@pytest.mark.long
def test_processes_of_torchrun_have_one_lock(tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(SPEC)
    np.savez(tmp_path / "data.npz", **samples())  # type: ignore[arg-type]
    train_ranks(tmp_path, 2, "spec.net", "--data", "data.npz", "-o", "run", "--strategy", "ddp", stopped_at=1)
    process = holder(tmp_path / "run")
    with pytest.raises(AssertionError, match=f"process {process.pid} is training the run in `run`"):
        train_ranks(tmp_path, 2, "--resume", "run", "--strategy", "ddp")
    process.send_signal(signal.SIGKILL)
    process.wait()
    train_ranks(tmp_path, 2, "--resume", "run", "--strategy", "ddp")


@pytest.mark.parametrize("share", ["0.5", "0", "1e-3", "0.2"])
def test_the_share_to_validate_on_belongs_to_the_run(share: str, stopped: Path) -> None:
    done = CliRunner().invoke(cli, ["train", "--resume", str(stopped), "--validation", share], prog_name="netc")
    assert done.exit_code == 2
    assert "`--resume` continues a run with its own `--validation`, and cannot change it" in done.output
    with pytest.raises(ValueError, match="with the settings that it was started with"):
        resume(stopped, validation=float(share))
    with pytest.raises(ValueError, match="with the settings that it was started with"):
        netc.train(resume=stopped, validation=share)


def test_a_run_with_a_share_gets_no_other_data(stopped: Path, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="it was started without other data to validate on"):
        resume(stopped, validation=ArraySource(samples(20, 1)))
    train(tmp_path / "whole")
    resume(stopped)
    assert_same_run(stopped, tmp_path / "whole")
