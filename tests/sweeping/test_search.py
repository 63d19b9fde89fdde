"""`netc sweep --search --trials`: studies of Optuna, and the runs in them, which `netc train` makes alone."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from tests.sweeping.searches import SPEC, netc, rows, start, strip_runs, wait_until, words, write_project

optuna = pytest.importorskip("optuna", reason="pip install optuna")

SEARCH = ("--search", "width=0..12 step 2, rate=1e-3..10 log")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, monkeypatch)


def search(*more: str, runs: str = "runs") -> Result:
    return netc(*words(*SEARCH, *more, runs=runs))


def read_study(path: str = "runs/study.db", name: str = "net") -> Any:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{path}")


@pytest.mark.long
def test_each_trial_is_the_run_that_it_is_alone_and_optuna_knows_the_best() -> None:
    done = search("--trials", "7", "--no-prune", "--by", "loss", "--json")
    table = rows(done)
    assert (done.exit_code, len(table)) == (0, 7)
    trained = [row for row in table if row["error"] is None]
    assert {row["error"] for row in table if row["width"] == 0} <= {"wrong-argument"}
    for row in trained[:2]:
        netc("train", "net.net", "--data", "data.npz", "-o", "alone", "--set", f"width={row['width']}", "--set", f"rate={row['rate']!r}")
        for file in ("metrics.jsonl", "last.safetensors"):
            assert Path("alone", file).read_bytes() == Path(row["run"], file).read_bytes()
        shutil.rmtree("alone")
    best = read_study().best_trial
    assert best.value == min(row["loss"] for row in trained)
    assert f"best: runs/net-{best.number}, loss" in done.stderr


@pytest.mark.long
def test_a_search_is_reproducible_and_a_continued_one_is_the_same() -> None:
    whole = rows(search("--trials", "12", "--json"))
    search("--trials", "5", runs="again")
    continued = rows(search("--trials", "12", "--json", runs="again"))
    assert strip_runs(whole) == strip_runs(continued)
    assert any(row["error"] == "pruned" for row in whole)
    other = rows(search("--trials", "5", "--seed", "1", "--json", runs="other"))
    assert [row["rate"] for row in other] != [row["rate"] for row in whole[:5]]


@pytest.mark.long
def test_two_goals() -> None:
    done = netc(*words(*SEARCH, "--trials", "8", "--by", "pareto", "params,accuracy", "--json"))
    table = rows(done)
    points = {row["run"]: (row["parameters"], -row["accuracy"]) for row in table if row["error"] is None}
    front = {run for run, (a, b) in points.items() if not any(c <= a and d <= b and (c, d) != (a, b) for c, d in points.values())}
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("best by parameters and accuracy: ")]
    assert {part.split()[0] for part in line.partition(": ")[2].split("), ")} == front


def test_costs_without_training() -> None:
    done = netc("sweep", "net.net", "--model", "net", "--search", "width=1..100000", "--trials", "6", "--by", "max:params", "--json")
    table = rows(done)
    assert [row["parameters"] for row in table] == [6 * w + w + w * 3 + 3 for w in (row["width"] for row in table)]
    assert len({row["width"] for row in table}) == 6


@pytest.mark.long
def test_a_storage_shares_every_combination() -> None:
    """Two commands, one after the other: the second has nothing left to do."""
    storage = ("--storage", "sqlite:///shared.db")
    first = rows(netc(*words("--set", "width=4,5", "--search", "rate=0.1..0.3 step 0.1", *storage, "--json")))
    assert [(row["width"], row["rate"]) for row in first] == [(w, r) for w in ("4", "5") for r in (0.1, 0.2, 0.3)]
    again = netc(*words("--set", "width=4,5", "--search", "rate=0.1..0.3 step 0.1", *storage, "--json"))
    assert rows(again) == first
    other = netc(*words("--set", "width=4,5", "--search", "rate=0.1..0.3 step 0.1", *storage, "--trials", "8"))
    assert "another `--trials`" in other.stderr


@pytest.mark.long
@pytest.mark.parametrize(
    ("change", "what"),
    [
        (("--search", "width=2..12 step 2, rate=1e-3..10 log"), "another `search`"),
        ((*SEARCH, "--by", "accuracy"), "another `--by`"),
        ((*SEARCH, "--epochs", "1"), "another `--epochs`"),
        ((*SEARCH, "--seed", "3"), "another `--seed`"),
    ],
)
def test_another_study_of_the_same_name_is_refused_and_the_help_helps(change: tuple[str, ...], what: str) -> None:
    search("--trials", "1")
    done = netc(*words(*change, "--trials", "1"))
    assert (done.exit_code, done.stdout) == (1, "")
    assert what in done.stderr
    assert "`--study NAME`" in done.stderr
    assert netc(*words(*change, "--trials", "1", "--study", "second")).exit_code in (0, 1)
    assert len(read_study(name="second").trials) == 1


@pytest.mark.long
def test_the_study_of_another_spec_and_of_somebody_else() -> None:
    search("--trials", "1")
    Path("net.net").write_text(SPEC.replace("0.3", "0.2"), encoding="utf-8")
    assert "another `spec`" in search("--trials", "1").stderr
    study = optuna.create_study(storage="sqlite:///theirs.db", study_name="net")
    study.optimize(lambda trial: trial.suggest_float("x", 0, 1), n_trials=1)
    assert "was not made by netc" in search("--trials", "1", "--storage", "sqlite:///theirs.db").stderr


@pytest.mark.long
def test_a_trial_of_another_folder_is_left_alone() -> None:
    """Only the folder with its run can continue it exactly."""
    storage = ("--storage", "sqlite:///shared.db", "--by", "loss")
    search("--trials", "1", *storage)
    elsewhere = read_study("shared.db").ask({"width": optuna.distributions.IntDistribution(0, 12, step=2)})
    elsewhere.set_user_attr("place", "elsewhere")
    done = search("--trials", "3", *storage, "--json", runs="other")
    table = rows(done)
    assert [row["error"] == "running" for row in table] == [False, True, False]
    assert [trial.state.name == "RUNNING" for trial in read_study("shared.db").trials] == [False, True, False]
    assert [str(row["run"]).partition("/")[0] for row in table] == ["runs", "", "other"]


def test_the_best_run_of_another_folder_has_the_path_of_the_table() -> None:
    storage = ("--storage", "sqlite:///shared.db", "--by", "loss", "--steps", "1", "--json")
    search("--trials", "2", *storage)
    done = search("--trials", "2", *storage, runs="other")
    best = min((row for row in rows(done) if row["error"] is None), key=lambda row: float(row["loss"]))
    assert str(best["run"]).startswith("runs/")
    assert f"best: {best['run']}, loss" in done.stderr


@pytest.mark.parametrize("more", [("--train", "-o", "runs", "--data", "data.npz"), ("--model", "net")])
@pytest.mark.parametrize("name", ["nope", "features"])
def test_a_parameter_that_the_spec_lacks(name: str, more: tuple[str, ...]) -> None:
    done = netc("sweep", "net.net", "--search", f"{name}=1..2", "--trials", "2", *more)
    assert (done.exit_code, done.stdout, Path("runs").exists()) == (1, "", False)
    assert f"error[unknown-parameter]: the model has no parameter `{name}`" in done.stderr
    assert "the parameters are `width`" in done.stderr


def test_costs_are_whole_numbers() -> None:
    done = netc("sweep", "net.net", "--model", "net", "--search", "width=2000..2001", "--trials", "1", "--by", "pareto", "params,flops")
    _, parameters, flops, *_ = done.stdout.splitlines()[1].split()
    assert f"({parameters}, {flops})" in done.stderr
    assert "," in parameters


@pytest.mark.parametrize(
    ("storage", "what"),
    [
        ("study.db", "is not the URL of a storage"),
        ("nodb://x", "is not the URL of a storage"),
        ("sqlite:///no/such/folder/study.db", "unable to open database file"),
        ("sqlite:///net.net", "file is not a database"),
        ("mysql+pymysql://me:secret@localhost/x", "its driver `pymysql` is not installed"),
    ],
)
def test_a_wrong_storage(storage: str, what: str) -> None:
    done = search("--trials", "1", "--storage", storage)
    assert (done.exit_code, done.stdout) == (1, "")
    assert what in done.stderr
    assert "secret" not in done.stderr


def test_a_locked_storage() -> None:
    search("--trials", "1")
    holder = sqlite3.connect("runs/study.db")
    holder.execute("BEGIN EXCLUSIVE")
    done = search("--trials", "2", "--storage", "sqlite:///runs/study.db?timeout=0.1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "database is locked" in done.stderr
    assert "wait until it ends" in done.stderr
    holder.close()
    assert len(rows(search("--trials", "2", "--json"))) == 2


def test_folders_whose_names_urls_cannot_have() -> None:
    done = search("--trials", "1", runs="a {b} c")
    assert Path("a {b} c/study.db").exists(), done.stderr
    assert "has a `?`" in search("--trials", "1", runs="what?").stderr


def test_without_optuna(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = search("--trials", "1")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "Optuna is not installed" in done.stderr
    assert "pip install optuna" in done.stderr
    assert netc(*words("--set", "width=4")).exit_code == 0


@pytest.mark.long
def test_a_failure_that_is_not_of_the_values_is_tried_again() -> None:
    Path("data.npz").rename("moved.npz")
    failed = search("--trials", "2", "--by", "loss")
    assert failed.exit_code == 1
    Path("moved.npz").rename("data.npz")
    done = search("--trials", "2", "--by", "loss", "--json")
    assert [trial.number for trial in read_study().trials] == [0, 1]
    assert {row["error"] for row in rows(done)} <= {None, "wrong-argument"}


@pytest.mark.parametrize(
    ("more", "what"),
    [
        ((), "the number of trials"),
        (("--trials", "1", "--set", "width=4"), "in `--set` and in `--search`"),
        (("--trials", "1", "--by", "los"), "there is no metric `los`"),
        (("--trials", "1", "--by", "loss,accuracy"), "pareto loss,accuracy"),
        (("--trials", "0"), "--trials"),
    ],
)
def test_wrong_usage(more: tuple[str, ...], what: str) -> None:
    done = search(*more)
    assert (done.exit_code, done.stdout) == (2, "")
    assert what in done.stderr


LONG = ("--search", "width=2..12 step 2, rate=1e-3..1e-2 log", "--no-prune", "--epochs", "200", "--checkpoint-every", "20")


@pytest.mark.long
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_a_stopped_trial_is_continued_exactly(number: signal.Signals, code: int) -> None:
    process = start(*LONG, "--trials", "2")
    wait_until(lambda: Path("runs/net-0/checkpoint.pt").exists())
    process.send_signal(number)
    process.communicate(timeout=60)
    assert process.returncode == code
    assert [trial.state.name for trial in read_study().trials] == ["RUNNING" if code == -9 else "WAITING"]
    table = rows(netc(*words(*LONG, "--trials", "2", "--json")))
    assert [trial.state.name for trial in read_study().trials] == ["COMPLETE", "COMPLETE"]
    whole = rows(netc(*words(*LONG, "--trials", "2", "--json", runs="whole")))
    assert strip_runs(table) == strip_runs(whole)
    assert Path("runs/net-0/last.safetensors").read_bytes() == Path("whole/net-0/last.safetensors").read_bytes()


@pytest.mark.long
def test_two_processes_share_the_trials() -> None:
    """Each trial is trained once, and one of the processes is killed in the middle of a trial, which the other one continues."""
    more = (*SEARCH, "--no-prune", "--epochs", "60", "--trials", "9", "--json")
    processes = [start(*more) for _ in range(3)]
    wait_until(lambda: os.path.exists("runs/study.db") and len(list(Path("runs").glob("net-*"))) > 1)
    processes[0].kill()
    outputs = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [-9, 0, 0]
    final = rows(netc(*words(*more)))
    trained = [line.partition(":")[0] for _, said in outputs for line in said.splitlines() if " steps: " in line]
    assert len(trained) == len({*trained})
    assert [trial.number for trial in read_study().trials] == list(range(9))
    assert all(trial.state.is_finished() for trial in read_study().trials)
    assert len(final) == 9


TURNS = """
model net(width=4) {
  features = input 6
  first = features -> dense width as first
  second = features -> dense width as second
  out first, second
}
train net(rate=1e-2) {
  early = first -> square -> mean
  late = second -> square -> mean
  minimize early "first.*" steps=99
  minimize late "second.*"
  optimizer sgd lr=rate
  steps 3
}
"""


def test_a_loss_that_no_step_computes_is_no_unknown_metric() -> None:
    """Of losses in turn, the second has its first step only after the end of these runs."""
    Path("net.net").write_text(TURNS, encoding="utf-8")
    done = search("--trials", "1", "--by", "late")
    assert done.exit_code == 1
    assert "a trial has no result `late`" in done.stderr
    assert "train at least one turn" in done.stderr
