"""A run that was interrupted ends as one that was not, bit for bit, on one CPU process."""

from __future__ import annotations

import json
import os
import pickle
import random
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file
from safetensors.torch import save_file
from torch.distributed.checkpoint import metadata, state_dict_saver
from torch.distributed.checkpoint.filesystem import _StorageInfo
from torch.distributed.checkpoint.metadata import BytesStorageMetadata

import netc
from netc.analysis import Choice
from netc.cli import cli
from netc.compiler.errors.run_errors import RunError
from netc.training.checkpoints import CheckpointStore, TrainingState
from netc.training.data.data_source import ArraySource
from netc.training.read_checkpoint import unpickle_records
from netc.training.run_training import train_file
from netc.training.stop_signals import Interrupted
from netc.training.training_report import Report
from tests.training.runs import SPEC, resume, samples, train


def assert_same_run(one: Path, other: Path) -> None:
    """The weights have the same bits, and the metrics the same lines."""
    for name in ("last.safetensors", "best.safetensors"):
        first, second = load_file(one / name), load_file(other / name)
        assert first.keys() == second.keys()
        for key, value in first.items():
            assert value.tobytes() == second[key].tobytes(), key
    assert (one / "metrics.jsonl").read_text() == (other / "metrics.jsonl").read_text()


def stopping_at(step: int, validation: bool = False):
    """A receiver of reports that is interrupted after the report of a step, as by Ctrl-C."""

    def on_report(report: Report) -> None:
        if report.step == step and report.validation == validation:
            os.kill(os.getpid(), signal.SIGINT)

    return on_report


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "whole"
    train(folder)
    return folder


@pytest.mark.sample(2)
@pytest.mark.parametrize("step", [1, 4, 7, 18])
def test_interrupted_in_the_middle_of_an_epoch(step: int, whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted) as caught:
        train(tmp_path / "run", on_report=stopping_at(step))
    assert caught.value.exit_code == 130
    assert caught.value.step == step + 1
    result = resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)
    assert result.steps == 20


@pytest.mark.parametrize("after_validation", [False, True])
def test_interrupted_at_the_end_of_an_epoch(after_validation: bool, whole: Path, tmp_path: Path) -> None:
    """The signal arrives after the report of the last step of an epoch, before or after its validation."""
    with pytest.raises(Interrupted):
        train(tmp_path / "run", on_report=stopping_at(5, validation=after_validation))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)


def test_interrupted_twice(whole: Path, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path / "run", on_report=stopping_at(3))
    with pytest.raises(Interrupted):
        resume(tmp_path / "run", on_report=stopping_at(12))
    resume(tmp_path / "run")
    assert_same_run(tmp_path / "run", whole)


def test_a_finished_run_has_nothing_left(whole: Path) -> None:
    before = (whole / "metrics.jsonl").read_text()
    result = resume(whole)
    assert result.steps == 20
    assert set(result.results) == {"loss", "accuracy"}
    assert (whole / "metrics.jsonl").read_text() == before


def test_resuming_a_finished_run_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", **samples())  # type: ignore[arg-type]
    Path("spec.net").write_text(SPEC)
    done = CliRunner().invoke(cli, ["train", "spec.net", "--data", "data.npz", "--steps", "2", "-o", "run"], prog_name="netc")
    assert "finished" not in done.output
    done = CliRunner().invoke(cli, ["train", "--resume", "run"], prog_name="netc")
    assert done.exit_code == 0
    assert "2 steps: loss" in done.stdout
    assert "note: the run had finished, and no step was left; to train longer, start a new one with its weights" in done.stderr
    done = CliRunner().invoke(cli, ["train", "--resume", "run", "--epochs", "9"], prog_name="netc")
    assert done.exit_code == 2
    assert "`--weights run/last.safetensors -o RUN`" in done.output


def command(*words: str) -> list[str]:
    return [sys.executable, "-m", "netc", "train", *words]


@pytest.mark.long
def test_killed(tmp_path: Path) -> None:
    """kill -9 at a random moment of a process; resumed by `--resume RUN` alone."""
    np.savez(tmp_path / "data.npz", **samples(400))
    (tmp_path / "spec.net").write_text(SPEC.replace("epochs 4", "epochs 30"))
    begin = command("spec.net", "--data", "data.npz", "--checkpoint-every", "3", "-o")
    subprocess.run([*begin, "whole"], cwd=tmp_path, check=True, capture_output=True)
    process = subprocess.Popen([*begin, "run"], cwd=tmp_path, stdout=subprocess.DEVNULL)
    lines, wanted = tmp_path / "run" / "metrics.jsonl", random.randrange(10, 100)
    while not lines.exists() or lines.read_text().count("\n") < wanted:
        assert process.poll() is None
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    subprocess.run(command("--resume", str(tmp_path / "run")), check=True, capture_output=True)
    assert_same_run(tmp_path / "run", tmp_path / "whole")


def test_folders_that_are_no_runs(tmp_path: Path, whole: Path) -> None:
    def why(folder: Path) -> str:
        with pytest.raises(RunError) as caught:
            resume(folder)
        return caught.value.problem.format_message()

    assert "there is no such folder" in why(tmp_path / "missing")
    assert "there is no `config.json` in it" in why(tmp_path)
    (tmp_path / "config.json").write_text("{")
    assert "its `config.json` is damaged" in why(tmp_path)
    (tmp_path / "config.json").write_text("{}")
    assert "its `config.json` is damaged" in why(tmp_path)
    (tmp_path / "config.json").write_text('{"a":' * 10_000)
    assert "its `config.json` is damaged" in why(tmp_path)
    config = json.loads((whole / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert "it was stopped before its first checkpoint" in why(tmp_path)
    content = (whole / "checkpoint.pt").read_bytes()
    for damaged in (b"", content[: len(content) // 2], content[:3000] + bytes(200) + content[3200:]):
        (tmp_path / "checkpoint.pt").write_bytes(damaged)
        assert "its checkpoint is damaged" in why(tmp_path)
        assert "weights_only" not in why(tmp_path)
    for state, what in (({"progress": {}}, "not one of this run"), (Path(), "other than numbers and tensors")):
        torch.save(state, tmp_path / "checkpoint.pt")
        assert what in why(tmp_path)
    (tmp_path / "config.json").write_text(json.dumps({**config, "spec": config["spec"].replace("0.3", "0.4")}))
    assert "is not what it was" in why(tmp_path)


@pytest.fixture
def distributed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run with a checkpoint in PyTorch's distributed format, which one process can write too."""
    save = CheckpointStore.save_checkpoint

    def save_both(self: CheckpointStore, progress: dict[str, Any], trained: TrainingState) -> None:
        save(self, progress, trained)
        state_dict_saver.save(trained.to_sharded_state(), checkpoint_id=self.folder / "checkpoint-9", no_dist=True)
        torch.save({**progress, "number": 9}, self.folder / "checkpoint-9" / "progress.pt")

    monkeypatch.setattr(CheckpointStore, "save_checkpoint", save_both)
    train(tmp_path / "run", steps=2)
    monkeypatch.undo()
    return tmp_path / "run" / "checkpoint-9"


@pytest.mark.parametrize("damage", ["metadata", "part", "missing"])
def test_a_damaged_folder_of_several_processes(damage: str, distributed: Path) -> None:
    folder = distributed
    part = next(folder.glob("*.distcp"))
    match damage:
        case "metadata":
            (folder / ".metadata").write_bytes(b"abc")
        case "part":
            part.write_bytes(part.read_bytes()[:200])
        case _:
            part.unlink()
    with pytest.raises(RunError) as caught:
        resume(folder.parent)
    assert "its checkpoint is damaged" in caught.value.problem.format_message()
    assert "Traceback" not in caught.value.problem.format_message()


class Code:
    """What runs code when it is unpickled: it makes a folder."""

    def __init__(self, made: Path) -> None:
        self.made = made

    def __reduce__(self) -> Any:
        return os.mkdir, (str(self.made),)


def test_a_folder_from_a_stranger_runs_no_code(distributed: Path, tmp_path: Path) -> None:
    """Neither in the metadata nor in what is no tensor, and files elsewhere are not opened."""
    known = (distributed / ".metadata").read_bytes()
    found, made = pickle.loads(known), tmp_path / "made"
    torch.save(Code(made), distributed / "code.distcp")
    object_ = next(i for i in found.storage_data if isinstance(found.state_dict_metadata[i.fqn], BytesStorageMetadata))
    length = (distributed / "code.distcp").stat().st_size
    elsewhere = {**found.storage_data, object_: _StorageInfo("../../code.distcp", 0, length)}
    changes = [
        {"planner_data": Code(made)},
        {"storage_data": {**found.storage_data, object_: _StorageInfo("code.distcp", 0, length)}},
        {"storage_data": elsewhere},
        {"storage_data": Code(made)},
    ]
    for change in changes:
        (distributed / ".metadata").write_bytes(pickle.dumps(replace(found, **change)))
        with pytest.raises(RunError) as caught:
            resume(distributed.parent)
        assert "its checkpoint is damaged" in caught.value.problem.format_message()
        assert not made.exists()
    (distributed / ".metadata").write_bytes(known)
    assert resume(distributed.parent).steps == 2


class Attribute:
    """Pickled as `getattr` of a record and a name."""

    def __init__(self, record: str, name: str) -> None:
        self.called = getattr, (getattr(metadata, record), name)

    def __reduce__(self) -> Any:
        return self.called


def test_only_members_of_enumerations_are_attributes() -> None:
    """Some Pythons write a member of an enumeration as an attribute of its class, whoever reads it."""
    member = metadata._MEM_FORMAT_ENCODING.TORCH_CONTIGUOUS_FORMAT
    assert unpickle_records(pickle.dumps(Attribute("_MEM_FORMAT_ENCODING", member.name))) is member
    for record, name in (("_MEM_FORMAT_ENCODING", "__init__"), ("Metadata", "__init__"), ("StorageMeta", "__reduce__")):
        with pytest.raises(pickle.UnpicklingError, match="an attribute is no part"):
            unpickle_records(pickle.dumps(Attribute(record, name)))


def other_data(name: str) -> dict[str, np.ndarray]:
    """Those of `samples`, with one number changed, or with other samples."""
    made = samples()
    match name:
        case "features" | "target":
            made[name][17] = 1 - made[name][17]
        case "fewer":
            made = {name: array[:-1] for name, array in made.items()}
        case "order":
            made = {name: array[::-1].copy() for name, array in made.items()}
    return made


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("features", "`ArraySource` is not what it was: `features` has other numbers"),
        ("target", "`ArraySource` is not what it was: `target` has other numbers"),
        ("order", "`ArraySource` is not what it was: `features` has other numbers"),
        ("fewer", "`ArraySource` has 89 samples, and had 90"),
    ],
)
def test_a_run_is_not_continued_with_other_data(name: str, what: str, tmp_path: Path) -> None:
    with pytest.raises(Interrupted):
        train(tmp_path / "run", on_report=stopping_at(3))
    with pytest.raises(RunError) as caught:
        resume(tmp_path / "run", other_data(name))
    assert caught.value.problem.format_message() == f"cannot resume `{tmp_path / 'run'}`: {what}"


def test_the_same_numbers_in_another_file_are_the_same_data(whole: Path, tmp_path: Path) -> None:
    """Elsewhere, in another format, in another precision."""
    with pytest.raises(Interrupted):
        train(tmp_path / "run", on_report=stopping_at(3))
    save_file(
        {name: torch.from_numpy(a.astype(np.float64 if a.dtype.kind == "f" else np.int32)) for name, a in samples().items()},
        tmp_path / "d.safetensors",
    )
    train_file(None, None, Choice(), None, str(tmp_path / "run"), True, lambda report: None, data=str(tmp_path / "d.safetensors"))
    assert_same_run(tmp_path / "run", whole)


def test_other_data_to_validate_on(tmp_path: Path) -> None:
    spec = SPEC.replace("  validate 0.2\n", "")
    with pytest.raises(Interrupted):
        train(tmp_path / "run", spec, on_report=stopping_at(3), validation=ArraySource(samples(20, 1)))
    with pytest.raises(RunError, match="has other numbers"):
        resume(tmp_path / "run", validation=ArraySource(samples(20, 2)))
    resume(tmp_path / "run", validation=ArraySource(samples(20, 1)))


class Noisy(torch.utils.data.Dataset[Any]):
    """A data set that changes its images each time, as augmentation does, and not its labels."""

    def __init__(self, change: int = 0) -> None:
        self.arrays, self.change = samples(), change

    def __len__(self) -> int:
        return 90

    def __getitem__(self, index: int) -> Any:
        noise = np.random.default_rng().normal(size=6).astype(np.float32)
        return {"features": self.arrays["features"][index] + noise, "target": (self.arrays["target"][index] + self.change) % 3}


def test_data_that_are_drawn_have_no_fingerprint(tmp_path: Path) -> None:
    (tmp_path / "spec.net").write_text(SPEC)
    with pytest.raises(Interrupted):
        netc.train(tmp_path / "spec.net", data=Noisy(), output=tmp_path / "run", report=stopping_at(3))
    with pytest.raises(RunError, match="`target` has other numbers"):
        netc.train(resume=tmp_path / "run", data=Noisy(1))
    assert netc.train(resume=tmp_path / "run", data=Noisy()).steps == 20


def test_a_run_is_not_overwritten(whole: Path) -> None:
    with pytest.raises(RunError) as caught:
        train(whole)
    assert caught.value.problem.code == "run-exists"
    assert f"netc train --resume {whole}" in caught.value.problem.format_help()[0]


def test_resumed_in_python(tmp_path: Path) -> None:
    """`netc.train(resume=...)` needs no path, and refuses what belongs to the run."""
    np.savez(tmp_path / "data.npz", **samples())
    (tmp_path / "spec.net").write_text(SPEC)
    with pytest.raises(Interrupted):
        netc.train(tmp_path / "spec.net", data=str(tmp_path / "data.npz"), output=tmp_path / "run", report=stopping_at(7))
    (tmp_path / "spec.net").unlink()
    with pytest.raises(ValueError, match="with the settings that it was started with"):
        netc.train(resume=tmp_path / "run", batch=8)
    assert netc.train(resume=tmp_path / "run").steps == 20
