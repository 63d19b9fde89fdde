"""The folder of a run: its metrics are JSON, and nothing else is in it."""

from __future__ import annotations

import errno
import json
import math
import os
import shlex
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from safetensors.numpy import load_file

from netc.cli import cli
from netc.compiler.errors.run_errors import FolderNotEmpty, RunDiffers, RunError, RunExists
from netc.compiler.errors.weight_errors import WeightsError
from netc.drawing.metrics import measure_width
from netc.training.checkpoints import write_state
from netc.training.curves import draw_curves, find_log_ticks, find_ticks
from netc.training.run_files import LAST, read_metrics
from netc.training.run_folder import RunFolder
from netc.training.run_training import Result
from tests.training.runs import SPEC, samples, train


def strictly(line: str) -> dict[str, object]:
    """The line as JSON, which has no NaN."""

    def refuse(word: str) -> None:
        raise AssertionError(f"{word} is no JSON")

    found: dict[str, object] = json.loads(line, parse_constant=refuse)
    return found


def test_metrics_that_are_not_finite_are_null(tmp_path: Path) -> None:
    """Recall without a single sample of the class."""
    recall = "metric recall = ((scores -> argmax axis=1) == 0 -> cast float32 -> mean) / ((target == 7) -> cast float32 -> mean)"
    train(tmp_path / "run", SPEC.replace("  optimizer", f"  {recall}\n  optimizer"), samples())
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    found = [strictly(line) for line in lines]
    assert {entry["recall"] for entry in found if "recall" in entry} == {None}
    assert all(isinstance(entry["loss"], float) for entry in found if "loss" in entry)
    assert (tmp_path / "run" / "curves.svg").read_text() == draw_curves({"run": read_metrics(str(tmp_path / "run"))})


@pytest.mark.parametrize("text", ["{", "[" * 100_000, "[1, 2]", "\udcff"])
def test_a_damaged_configuration(tmp_path: Path, text: str) -> None:
    (tmp_path / "config.json").write_text(text, encoding="utf-8", errors="surrogateescape")
    with pytest.raises(RunError, match=r"cannot resume .*: its `config\.json` is damaged"):
        RunFolder(tmp_path).read_config()


def test_a_configuration_that_cannot_be_read(tmp_path: Path) -> None:
    """The reason is the operating system's."""
    with pytest.raises(RunError, match=r"there is no `config\.json` in it"):
        RunFolder(tmp_path).read_config("predict")
    with pytest.raises(RunError, match="there is no such folder"):
        RunFolder(tmp_path / "absent").read_config()
    (tmp_path / "config.json").mkdir()
    with pytest.raises(RunError) as caught:
        RunFolder(tmp_path).read_config("predict")
    assert caught.value.problem.format_message().endswith(os.strerror(errno.EISDIR).lower())


@pytest.mark.parametrize(("low", "high"), [(0.5, 700.0), (1e-9, 1e-3), (3.0, 3.1), (1.0, 1000.0), (2e-5, 4e7)])
def test_ticks_cover_the_values(low: float, high: float) -> None:
    """Powers of ten, and about five multiples of a round number."""
    powers = find_log_ticks(low, high)
    assert powers[0] <= low * (1 + 1e-9)
    assert powers[-1] >= high * (1 - 1e-9)
    assert powers[0] > low / 10 * (1 - 1e-9)
    assert powers[-1] < high * 10
    np.testing.assert_allclose(np.diff(np.log10(powers)), 1)
    ticks = find_ticks(low, high, 5)
    step = ticks[1] - ticks[0]
    assert ticks[0] <= low < ticks[0] + step
    assert ticks[-1] - step < high <= ticks[-1] * (1 + 1e-9)
    assert (high - low) / 5 * (1 - 1e-6) <= step <= (high - low) / 2 * (1 + 1e-6)
    np.testing.assert_allclose(np.diff(ticks), step)


def test_what_is_not_finite_is_a_gap(tmp_path: Path) -> None:
    run = RunFolder(tmp_path)
    for step, value in enumerate([1.0, 2.0, math.nan, 3.0, math.inf, 4.0, 5.0], 1):
        run.log_entry({"step": step, "epoch": 1.0, "lr": 0.1, "loss": value, "validation": {"loss": -value}})
    run.flush_metrics()
    run.cut_metrics(6, with_validation=True)
    lines = (tmp_path / "metrics.jsonl").read_text().splitlines()
    assert [strictly(line)["loss"] for line in lines] == [1.0, 2.0, None, 3.0, None, 4.0]
    assert strictly(lines[4])["validation"] == {"loss": None}
    assert draw_curves({"run": read_metrics(str(tmp_path))}).count("<polyline") == 2


def test_runs_are_distinguished_by_colors_and_dashes_with_all_names_in_the_picture() -> None:
    """Twelve runs with long names: more than there are colors, and more than fit into one line."""
    names = [f"runs/activation=gelu,width={width},learning_rate=0.01" for width in range(12)]
    root = ElementTree.fromstring(draw_curves({name: [{"step": 1, "loss": 1.0}, {"step": 2, "loss": 0.5}] for name in names}))
    lines = [one for one in root if one.tag.endswith("}polyline")]
    assert len({(line.get("stroke"), line.get("stroke-dasharray")) for line in lines}) == len(lines) == len(names)
    texts = {one.text: one for one in root if one.tag.endswith("}text")}
    right = [float(texts[name].get("x", "nan")) + measure_width(name, 12) for name in names]
    assert max(right) <= float(root.get("width", "nan"))
    assert len({(texts[name].get("x"), texts[name].get("y")) for name in names}) == len(names)


@pytest.mark.parametrize("name", ["notes.txt", "last.safetensors"])
def test_a_folder_with_other_files_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / name).touch()
    with pytest.raises(RunError) as caught:
        train(tmp_path)
    assert caught.value.problem.code == "folder-not-empty"
    assert f"it has `{name}`" in caught.value.problem.format_message()
    assert os.listdir(tmp_path) == [name]


def test_a_folder_that_is_empty_may_be_there(tmp_path: Path) -> None:
    (tmp_path / ".keep").touch()
    train(tmp_path, steps=1)
    assert (tmp_path / "config.json").exists()


def test_weights_that_do_not_fit_leave_no_folder(tmp_path: Path) -> None:
    """The same command, corrected, is then no second run in the folder."""
    with pytest.raises(WeightsError):
        train(tmp_path / "run", weights=str(tmp_path / "none.safetensors"))
    np.savez(tmp_path / "other.npz", other=np.zeros(3))
    with pytest.raises(WeightsError):
        train(tmp_path / "run", weights=str(tmp_path / "other.npz"))
    assert not (tmp_path / "run").exists()


def test_reports_for_tensorboard(tmp_path: Path) -> None:
    """TensorBoard reads what `metrics.jsonl` has."""
    events = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator", reason="TensorBoard is not installed")
    (tmp_path / "spec.net").write_text(SPEC, encoding="utf-8")
    np.savez(tmp_path / "data.npz", **samples())
    words = ["train", str(tmp_path / "spec.net"), "--data", str(tmp_path / "data.npz"), "-o", str(tmp_path / "run"), "--tensorboard"]
    result = CliRunner().invoke(cli, words, prog_name="netc")
    assert result.exit_code == 0, result.output
    read = events.EventAccumulator(str(tmp_path / "run" / "tensorboard")).Reload()
    metrics = read_metrics(str(tmp_path / "run"))
    training = [(entry["step"], entry["loss"]) for entry in metrics if "loss" in entry]
    validation = [(entry["step"], entry["validation"]["accuracy"]) for entry in metrics if "validation" in entry]
    for name, expected in (("loss/training", training), ("accuracy/validation", validation)):
        found = [(event.step, event.value) for event in read.Scalars(name)]
        assert [step for step, _ in found] == [step for step, _ in expected]
        assert np.allclose([value for _, value in found], [value for _, value in expected], rtol=1e-6)


@pytest.mark.parametrize("limit", [1 << 16, 1 << 21])
def test_weights_that_the_disk_has_no_room_for(tmp_path: Path, limit: int) -> None:
    """safetensors hides the system's error in one of its own, and removes its file: the larger limit has room for another try."""
    resource = pytest.importorskip("resource", reason="Windows has no limit for the size of files")
    usual = resource.getrlimit(resource.RLIMIT_FSIZE)
    run = RunFolder(str(tmp_path))
    run.save_weights(LAST, {"w": torch.zeros(2)})
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, usual[1]))
        with pytest.raises(OSError, match="too large") as caught:
            run.save_weights(LAST, {"w": torch.zeros(1 << 20)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, usual)
    assert (caught.value.errno, caught.value.filename) == (errno.EFBIG, str(tmp_path / LAST))
    assert os.listdir(tmp_path) == [LAST]
    assert load_file(tmp_path / LAST)["w"].tolist() == [0, 0]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a device that is always full")
def test_a_full_disk_is_said() -> None:
    with pytest.raises(OSError, match="No space left"):
        write_state({"numbers": torch.zeros(100_000)}, "/dev/full")


def test_commands_are_quoted(tmp_path: Path) -> None:
    """For the shell: what is said to go on with has the folder as one word."""
    folder = "o'dd $näme; x"
    words = shlex.split(Result(folder, {"loss": 1.0}, 2, "'my spec.net'", "net").summary().splitlines()[-1])
    assert words == ["netc", "compile", "my spec.net", "--weights", folder, "-o", "net.onnx"]
    for problem in (RunExists(folder), RunDiffers(folder, "it is another"), FolderNotEmpty(folder, "a")):
        command = problem.format_help()[0].split("`")[1]
        assert any(word.startswith(folder) for word in shlex.split(command)), command


def test_the_command_after_a_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    np.savez("data.npz", **samples(32))
    Path("my spec.net").write_text(SPEC)
    done = CliRunner().invoke(cli, ["train", "my spec.net", "--data", "data.npz", "--steps", "1", "-o", "ödd näme"])
    assert done.exit_code == 0, done.output
    words = shlex.split(done.stdout.splitlines()[-1])
    assert words[:5] == ["netc", "compile", "my spec.net", "--weights", "ödd näme"]


def test_commands_of_the_command_line_are_quoted() -> None:
    for words, said in (
        (("train", "--resume", "a b", "--seed", "1"), "--weights 'a b/last.safetensors' -o RUN"),
        (("check", "width=[1, 2]"), "--set 'width=[1, 2]'"),
    ):
        assert said in CliRunner().invoke(cli, words).output


def test_the_last_line_says_what_the_results_are(tmp_path: Path) -> None:
    """The best weights are often not the last ones; and without validation, the results are a mean over the steps of the last epoch."""
    validated = train(tmp_path / "validated", SPEC.replace("keep best accuracy", "keep best loss max"))
    losses = {e["step"]: e["validation"]["loss"] for e in read_metrics(str(tmp_path / "validated")) if "validation" in e}
    best = max(losses, key=lambda step: losses[step])
    assert best < 20
    assert validated.summary().splitlines()[0].endswith(f" (the highest loss was {losses[best]:.4g}, at step {best})")
    assert train(tmp_path / "last", SPEC.replace("keep best accuracy", "keep best loss")).remark == ""
    plain = SPEC.replace("  validate 0.2\n", "").replace("  keep best accuracy\n", "")
    result = train(tmp_path / "plain", plain, steps=8)
    losses = [entry["loss"] for entry in read_metrics(str(tmp_path / "plain"))]
    assert len(losses) == 8
    assert result.summary().splitlines()[0].endswith(" (the mean over the last 2 steps)")  # the epoch has 6 steps
    assert result.results["loss"] == pytest.approx(sum(losses[-2:]) / 2, rel=1e-5)
    assert train(tmp_path / "one", plain, steps=7).remark == ""
