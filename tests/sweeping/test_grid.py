"""`netc sweep --train`: a run for each combination, the same as `netc train` makes alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import Result
from safetensors.numpy import load_file

from netc.sweeping.grid_study import MAX_FOLDER_NAME, name_folder
from tests.sweeping.searches import SPEC, netc, rows, words, write_project


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(tmp_path, monkeypatch)


def sweep(*more: str) -> Result:
    return netc(*words(*more))


def lines(run: str) -> str:
    return Path(run, "metrics.jsonl").read_text(encoding="utf-8")


@pytest.mark.long
def test_each_is_the_run_that_it_is_alone() -> None:
    done = sweep("--set", "width=4,5", "--set", "rate=0.1,0.01", "--json")
    assert done.exit_code == 0
    table = rows(done)
    assert [row["run"] for row in table] == [f"runs/width={w},rate={r}" for w in (4, 5) for r in ("0.1", "0.01")]
    assert [row["parameters"] for row in table] == [6 * w + w + w * 3 + 3 for w in (4, 4, 5, 5)]
    assert {row["steps"] for row in table} == {15}
    for row in table:
        netc("train", "net.net", "--data", "data.npz", "-o", "alone", "--set", f"width={row['width']}", "--set", f"rate={row['rate']}")
        assert lines("alone") == lines(row["run"])
        assert json.loads(lines("alone").splitlines()[-1])["validation"]["loss"] == row["loss"]
        for file in Path("alone").iterdir():
            file.unlink()
        Path("alone").rmdir()


def test_what_is_wrong_with_one_is_in_its_row() -> None:
    done = sweep("--set", "width=4,0", "--set", "rate=0.1,1e30", "--json")
    assert done.exit_code == 1
    table = rows(done)
    assert [row["error"] for row in table] == [None, "loss-not-finite", "wrong-argument", "wrong-argument"]
    assert "error[loss-not-finite]" in done.stderr
    assert "3 of 4 combinations are wrong" in done.stderr
    assert [row["loss"] is None for row in table] == [False, True, True, True]


def test_the_same_command_continues() -> None:
    sweep("--set", "width=4")
    before = lines("runs/width=4")
    done = sweep("--set", "width=4,5")
    assert done.exit_code == 0
    assert lines("runs/width=4") == before
    assert lines("runs/width=5") != before
    table = done.stdout.splitlines()
    assert table[0].split() == ["width", "parameters", "steps", "loss", "accuracy", "run"]
    assert [line.split()[-1] for line in table[1:]] == ["runs/width=4", "runs/width=5"]


def test_a_run_without_a_checkpoint_begins_again() -> None:
    sweep("--set", "width=4")
    whole = lines("runs/width=4")
    run = Path("runs/width=4")
    for file in run.iterdir():
        if file.name != "config.json":
            file.unlink()
    (run / "metrics.jsonl").write_text(whole.splitlines()[0] + "\n", encoding="utf-8")
    assert sweep("--set", "width=4").exit_code == 0
    assert lines("runs/width=4") == whole


@pytest.mark.parametrize(
    ("options", "what"), [(("--seed", "7"), "seed"), (("--epochs", "4"), "epochs"), (("--validation", "0.5"), "validation")]
)
def test_a_run_with_other_arguments_is_left_alone(options: tuple[str, str], what: str) -> None:
    sweep("--set", "width=4")
    before = lines("runs/width=4")
    done = sweep("--set", "width=4", *options)
    assert done.exit_code == 1
    assert f"it was started with another `{what}`" in done.stderr
    assert lines("runs/width=4") == before


def test_a_head_for_another_number_of_classes() -> None:
    """It is drawn, and the rest comes from the weights."""
    netc("train", "net.net", "--data", "data.npz", "-o", "old")
    Path("wide.net").write_text(SPEC.replace("dense 3", "dense 7"), encoding="utf-8")
    command = ("train", "wide.net", "--data", "data.npz", "-o", "new", "--weights", "old", "--set", "rate=0")
    refused = netc(*command)
    assert refused.exit_code == 1
    assert "to draw them anew: `--ignore 'dense2.*' --allow-missing 'dense2.*'`" in refused.stderr
    done = netc(*command, "--ignore", "dense2.*", "--allow-missing", "dense2.*")
    assert done.exit_code == 0
    assert "note: initialized, since they are not in the weights: `dense2.weight`, `dense2.bias`\n" in done.stderr
    old, new = (load_file(f"{run}/last.safetensors") for run in ("old", "new"))
    assert all((old[name] == new[name]).all() for name in ("dense1.weight", "dense1.bias"))
    assert new["dense2.weight"].shape == (7, 4)


def test_a_run_that_began_with_other_weights_is_left_alone() -> None:
    for seed in ("1", "2"):
        netc("train", "net.net", "--data", "data.npz", "-o", f"seed{seed}", "--seed", seed)
    weights = Path("weights.safetensors")
    weights.write_bytes(Path("seed1/last.safetensors").read_bytes())
    began = ("--set", "width=4", "--weights", str(weights))
    assert sweep(*began).exit_code == 0
    before = lines("runs/width=4")
    copied = Path("copy.safetensors")
    copied.write_bytes(weights.read_bytes())
    assert sweep("--set", "width=4", "--weights", str(copied)).exit_code == 0
    weights.write_bytes(Path("seed2/last.safetensors").read_bytes())
    for options in (began, ("--set", "width=4")):
        done = sweep(*options)
        assert done.exit_code == 1
        assert "it was started with another `weights`" in done.stderr
    assert lines("runs/width=4") == before


@pytest.mark.parametrize(
    ("options", "what"),
    [
        (("--train",), "-o RUNS"),
        (("--epochs", "3"), "`--epochs` is for --train"),
        (("-o", "runs"), "`-o` is for --train"),
        (("--data-option", "a=b"), "`--data-option` is for --train"),
        (("--train", "-o", "runs", "--epochs", "3", "--steps", "3"), "not both"),
    ],
)
def test_wrong_usage(options: tuple[str, ...], what: str) -> None:
    done = netc("sweep", "net.net", "--set", "width=4", *options)
    assert (done.exit_code, done.stdout) == (2, "")
    assert what in done.stderr


def test_names_of_folders() -> None:
    assert name_folder({"width": "8", "act": "relu"}) == "width=8,act=relu"
    names = [name_folder({"a": value}) for value in ("../x", "..\\x", "x y", "x/y", "é", "[1, 2]", "[1; 2]", "8" * 200, "8" * 201)]
    assert len(set(names)) == len(names)
    assert all(len(name) <= MAX_FOLDER_NAME and "/" not in name and "\\" not in name for name in names)
