"""`netc sweep --on`: trials on Ray, and as jobs of submitit. Each is the run that `netc train` makes alone.

`make long` runs two of them with submitit's local executor. `make engines` runs all, in an environment that has Ray too.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from netc.analysis import Choice
from netc.sweeping.trials import Trial, TrialEnd, TrialOrder
from tests.sweeping.searches import netc, start, strip_runs, wait_until, words, write_project

GRID = ("--set", "width=4,8", "--set", "rate=0.1,0.01")
LONG = ("--set", "width=4", "--epochs", "1000", "--checkpoint-every", "20")
PACKAGES = {"ray": "ray", "local": "submitit"}
ENGINES = [
    pytest.param(name, marks=[pytest.mark.long, pytest.mark.skipif(find_spec(package) is None, reason=f"pip install {package}")], id=name)
    for name, package in PACKAGES.items()
]
needs_time = pytest.mark.skipif("NETC_ENGINES" not in os.environ, reason="`make engines` runs it")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, monkeypatch)
    # as many threads as a task of Ray has, so that the sums are the same
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(sys.path))


def run(*more: str) -> tuple[int, str, str]:
    process = start(*more)
    out, err = process.communicate(timeout=600)
    return process.returncode, out, err


@pytest.mark.parametrize("engine", ENGINES)
def test_a_grid_is_the_same_everywhere(engine: str) -> None:
    code, out, said = run(*GRID, "--on", engine, "--jobs", "2", "--json")
    assert code == 0, said
    shutil.move("runs", "remote")
    code, here, said = run(*GRID, "--json")
    assert code == 0, said
    assert strip_runs(json.loads(out)) == strip_runs(json.loads(here))
    for run_folder in Path("runs").glob("width*"):
        for file in ("metrics.jsonl", "last.safetensors", "best.safetensors"):
            assert (run_folder / file).read_bytes() == (Path("remote") / run_folder.name / file).read_bytes()


@needs_time
@pytest.mark.parametrize("engine", ENGINES)
def test_a_worker_that_is_killed_is_a_failed_trial_that_the_same_command_continues(engine: str) -> None:
    process = start(*LONG, "--on", engine, "--jobs", "2")
    wait_until(lambda: Path("runs/width=4/checkpoint.pt").exists())
    os.kill(json.loads(Path("runs/width=4/.lock").read_text(encoding="utf-8"))["process"], signal.SIGKILL)
    out, said = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "error[worker-lost]: the worker that trained `runs/width=4` has died" in said
    assert "worker-lost" in out
    code, out, said = run(*LONG, "--on", engine, "--jobs", "2", "--json")
    assert code == 0, said
    shutil.move("runs", "remote")
    _, here, _ = run(*LONG, "--json")
    assert strip_runs(json.loads(out)) == strip_runs(json.loads(here))
    assert Path("runs/width=4/last.safetensors").read_bytes() == Path("remote/width=4/last.safetensors").read_bytes()


@needs_time
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_command_leaves_checkpoints(engine: str, number: signal.Signals, code: int) -> None:
    more = ("--set", "width=4,8", *LONG[2:], "--on", engine, "--jobs", "2")
    process = start(*more)
    wait_until(lambda: all(Path(f"runs/width={width}/checkpoint.pt").exists() for width in (4, 8)))
    # Ctrl-C in a terminal goes to the whole group
    os.killpg(process.pid, number) if number == signal.SIGINT else process.send_signal(number)
    _, said = process.communicate(timeout=300)
    assert process.returncode == code, said
    assert said.count("the same command continues") == 2
    assert run(*more)[0] == 0


@needs_time
@pytest.mark.parametrize("engine", ENGINES)
def test_a_search_prunes_by_the_curves_in_the_folders(engine: str) -> None:
    pytest.importorskip("optuna", reason="pip install optuna")
    more = ("--search", "width=4..8, rate=1e-4..1 log", "--trials", "10", "--epochs", "600", "--by", "loss")
    code, out, said = run(*more, "--on", engine, "--jobs", "2", "--json")
    assert code == 0, said
    table = json.loads(out)
    assert len(table) == 10
    pruned = [row for row in table if row["error"] == "pruned"]
    assert pruned
    assert all(row["steps"] < 3000 for row in pruned)


@pytest.mark.long
def test_a_job_at_its_time_limit_is_queued_again_and_continues_exactly() -> None:
    """submitit's local executor sends the signal that Slurm sends some time before the end."""
    pytest.importorskip("submitit", reason="pip install submitit")
    process = start(*LONG, "--on", "local", "--json")
    wait_until(lambda: Path("runs/width=4/checkpoint.pt").exists())
    first = json.loads(Path("runs/width=4/.lock").read_text(encoding="utf-8"))["process"]
    os.kill(first, signal.SIGUSR2)
    out, said = process.communicate(timeout=600)
    assert process.returncode == 0, said
    assert json.loads(Path("runs/width=4/.lock").read_text(encoding="utf-8"))["process"] != first
    shutil.move("runs", "remote")
    _, here, _ = run(*LONG, "--json")
    assert strip_runs(json.loads(out)) == strip_runs(json.loads(here))
    assert Path("runs/width=4/metrics.jsonl").read_bytes() == Path("remote/width=4/metrics.jsonl").read_bytes()


@pytest.mark.long
def test_there_is_no_cluster_of_ray() -> None:
    pytest.importorskip("ray", reason="pip install ray")
    code, out, said = run(*GRID, "--on", "ray", "--on-option", "address=auto")
    assert (code, out) == (1, "")
    assert "error: Ray cannot start: " in said
    code, out, said = run(*GRID, "--on", "ray", "--on-option", "speed=high")
    assert (code, out) == (1, "")
    assert "speed" in said


def test_a_job_of_slurm_is_the_run_that_it_is_alone() -> None:
    """In submitit's own simulation of Slurm, which submits a job, and runs it when we say so."""
    pytest.importorskip("submitit", reason="pip install submitit")
    from submitit.core import submission
    from submitit.slurm.test_slurm import mocked_slurm

    from netc.sweeping.submitit_executor import SubmititExecutor

    trial = Trial(0, {"width": "4"}, {"width": 4}, "runs/width=4")
    order = TrialOrder(trial, "net.net", None, Choice(params={"width": 4}), None, {"data": "data.npz"}, os.getcwd())
    numbers = (signal.SIGTERM, signal.SIGCONT, signal.SIGUSR2)
    handlers = {number: signal.getsignal(number) for number in numbers}
    try:
        with mocked_slurm() as mock:
            executor = SubmititExecutor("slurm", 1, {"slurm_partition": "gpu", "timeout_min": 60}, "runs", needs_gpu=True)
            executor.start_trial(order)
            submitted = Path("runs/.study/jobs/12_submission.sh")
            with mock.job_context("12"):  # the first job of the simulation
                submission.process_job(submitted.parent)
            ((ended, outcome),) = executor.wait_for_ends(lambda *_: False)
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    lines = {line.removeprefix("#SBATCH --") for line in submitted.read_text(encoding="utf-8").splitlines()}
    assert {"partition=gpu", "time=60", "signal=USR2@90", "gpus-per-node=1", "job-name=netc"} <= lines
    assert (ended, outcome.end) == (trial, TrialEnd.DONE)
    netc("train", "net.net", "--data", "data.npz", "--set", "width=4", "-o", "alone")
    assert Path("alone/metrics.jsonl").read_bytes() == Path("runs/width=4/metrics.jsonl").read_bytes()


@pytest.mark.parametrize(
    ("engine", "package", "name"), [("ray", "ray", "Ray"), ("slurm", "submitit", "submitit"), ("local", "submitit", "submitit")]
)
def test_a_package_that_is_missing(engine: str, package: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    done = netc(*words(*GRID, "--on", engine))
    assert (done.exit_code, done.stdout) == (1, "")
    assert f"{name} is not installed" in done.stderr
    assert f"pip install {package}" in done.stderr


def test_slurm_is_not_on_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("submitit", reason="pip install submitit")
    monkeypatch.setenv("PATH", "")
    done = netc(*words(*GRID, "--on", "slurm"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "no command `srun`" in done.stderr
    done = netc(*words(*GRID, "--on", "local", "--on-option", "speed=high"))
    assert done.exit_code == 1
    assert "submitit refuses the options" in done.stderr


@pytest.mark.parametrize(
    ("more", "what"),
    [(("--jobs", "2"), "`--jobs` is for `--on ENGINE`"), (("--on-option", "a=1"), "`--on-option` is for"), (("--on", "mars"), "mars")],
)
def test_wrong_usage(more: tuple[str, ...], what: str) -> None:
    done = netc(*words(*GRID, *more))
    assert (done.exit_code, done.stdout) == (2, "")
    assert what in done.stderr
    assert "`--on` is for --train" in netc("sweep", "net.net", *GRID, "--on", "local").stderr
