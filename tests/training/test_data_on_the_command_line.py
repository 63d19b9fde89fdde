"""`netc train` on data: what is written on the command line reaches the source, and what breaks later is no traceback."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

import netc
from netc.cli import cli
from netc.errors import CompileError
from tests.training.opened import spec

Train = Callable[..., Any]


@pytest.fixture
def train(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Train:
    """Runs the command for one step in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["train", *words, "--steps", "1", "-o", "run"], prog_name="netc")


def test_columns_and_options(train: Train) -> None:
    Path("a.csv").write_text("1;2;3\n4;5;6\n")
    done = train(
        "-e", spec(), "--data", "a.csv", "--data-option", "separator=;", "--data-option", "header=false",
        "--column", "x=0,1", "--column", "target=2", "--validation", "0.5",
    )  # fmt: skip
    assert done.exit_code == 0, done.output
    assert Path("run", "last.safetensors").exists()


def test_columns_as_a_spec_lists_them(train: Train) -> None:
    Path("a.csv").write_text("a,b,c\n1,2,3\n4,5,6\n")
    done = train("-e", spec(), "--data", "a.csv", "--column", "x=[a, b]", "--column", "target=c")
    assert done.exit_code == 0, done.output


def test_a_table_with_another_separator(train: Train) -> None:
    Path("a.csv").write_text("a;b;c\n1;2;3\n4;5;6\n")
    done = train("-e", spec(), "--data", "a.csv", "--column", "x=a,b", "--column", "target=c")
    assert done.exit_code == 1
    assert 'write the separator after the path in the spec, `separator=";"`' in done.output


def test_options_for_the_data_of_the_section(train: Train) -> None:
    """Those on the command line replace the section's; of `validate`, its own come first."""
    Path("a.csv").write_text("a;b;target\n4;6;1\n1;2;3\n")
    Path("b.csv").write_text("a,b,target\n4,6,1\n1,2,3\n")
    text = spec('data csv "a.csv" x=[a, b] separator="|"')
    assert train("-e", text).exit_code == 1
    assert train("-e", text, "--data-option", "separator=;").exit_code == 0
    text = spec('data csv "a.csv" x=[a, b]\n  validate csv "b.csv" separator=","')
    assert CliRunner().invoke(cli, ["train", "-e", text, "--data-option", "separator=;", "--steps", "1", "-o", "other"]).exit_code == 0


@pytest.mark.parametrize(
    ("word", "said"), [("foo=2", "there is no option `foo`"), ("header=2", "`header` "), ("seperator=;", "did you mean `separator`?")]
)
def test_a_wrong_option_for_the_data_of_the_section(train: Train, word: str, said: str) -> None:
    Path("a.csv").write_text("x,target\n4,6\n")
    done = train("-e", spec('data csv "a.csv" x=[a, b]'), "--data-option", word)
    assert (done.exit_code, said in done.output) == (1, True), done.output
    assert not Path("run").exists()


def test_options_for_data_without_a_format(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("m.net").write_text(spec())
    data = {"x": np.ones((3, 2), np.float32), "target": np.ones(3, np.float32)}
    with pytest.raises(CompileError, match="it has no options, such as `size`"):
        netc.train("m.net", data=data, data_options={"size": "2"}, output="run", steps=1)


@pytest.mark.parametrize(
    ("count", "share", "said"),
    [
        (1, "0.2", "note: no sample is left for validation, because there is only 1: the results are of the training samples\n"),
        (30, "0.0001", "note: 1 sample is kept for validation, because a share of 0.0001 of 30 is less: the results say little\n"),
        (30, "0.1", ""),
        (1, "0", ""),
    ],
)
def test_a_share_that_is_no_sample(train: Train, count: int, share: str, said: str) -> None:
    np.savez("a.npz", x=np.ones((count, 2), np.float32), target=np.ones(count, np.float32))
    done = train("-e", spec(), "--data", "a.npz", "--validation", share)
    assert done.exit_code == 0
    assert "".join(f"{line}\n" for line in done.stderr.splitlines() if "sample" in line) == said


def test_a_wrong_column_writes_nothing(train: Train) -> None:
    np.savez("a.npz", x=np.ones((3, 2)))
    done = train("-e", spec(), "--data", "a.npz")
    assert done.exit_code == 1
    assert "error[column-missing]: `a.npz` has no column `target` for the input `target`" in done.output
    assert not Path("run").exists()


def test_an_image_that_cannot_be_decoded_in_a_later_batch(train: Train) -> None:
    for name in "ab":
        Path("photos", name).mkdir(parents=True)
        for i in range(3):
            Image.fromarray(np.full((4, 4, 3), i, np.uint8)).save(f"photos/{name}/{i}.png")
    path = Path("photos/b/2.png")
    path.write_bytes(path.read_bytes()[:-30])
    done = train("-e", spec(x="3x4x4"), "--data", "images:photos", "--column", "x=image", "--column", "target=label")
    assert done.exit_code == 1
    assert "error[cannot-read-data]: cannot read `photos`: `b/2.png`: it cannot be decoded" in done.output
    assert "Traceback" not in done.output


def test_a_column_for_no_input(train: Train) -> None:
    np.savez("a.npz", x=np.ones((3, 2)), area=np.ones(3))
    done = train("-e", spec(), "--data", "a.npz", "--column", "targt=area", "--column", "q=area")
    assert done.exit_code == 1
    assert "error[wrong-setting]: `targt` is no input that the data are read for" in done.output
    assert "help: did you mean `target`?" in done.output
    assert "help: the inputs are `x`, `target`" in done.output


@pytest.mark.parametrize(
    ("setting", "why"),
    [
        ('data npz "a.npz" x=b x=c', "`x` is given twice"),
        ('data npz "a.npz" quick=true', "`data` has neither an input nor an option `quick`"),
        ("data npz", "`data` takes a format and a path"),
    ],
)
def test_a_wrong_data_line_is_the_only_error(train: Train, setting: str, why: str) -> None:
    done = train("-e", spec(setting))
    assert done.exit_code == 1
    assert f"error[wrong-setting]: {why}" in done.output
    assert done.output.rstrip().endswith("1 error")


@pytest.mark.parametrize("seed", range(6))
def test_what_is_not_finite_is_found_in_both_parts(train: Train, seed: int) -> None:
    x = np.ones((4, 2), np.float32)
    x[1, 1] = np.nan
    np.savez("a.npz", x=x, target=np.ones(4, np.float32))
    done = train("-e", spec(f"seed {seed}"), "--data", "a.npz", "--validation", "0.5")
    assert done.exit_code == 1
    assert done.output.count("error[data-not-finite]") == 1


@pytest.mark.parametrize("words", [("-o", ""), ("--resume", ""), ("-o", "run", "--steps", "1", "--epochs", "2")])
def test_what_contradicts_itself(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, ["train", "-e", spec(), *words], prog_name="netc")
    assert done.exit_code == 2
    assert "Error: " in done.output


@pytest.mark.parametrize("name", ["p.png", "", "svg"])
def test_a_picture_is_an_svg(tmp_path: Path, name: str) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 1, "epoch": 1.0, "lr": 0.1, "loss": 2.0}\n')
    done = CliRunner().invoke(cli, ["plot", str(tmp_path), "-o", name], prog_name="netc")
    assert done.exit_code == 2
    assert "FILE.svg, or `-`" in done.output


def test_a_batch_of_fewer_samples_than_parts(train: Train) -> None:
    np.savez("a.npz", x=np.ones((9, 2), np.float32), target=np.ones(9, np.float32))
    text = spec("batch 8 accumulate=4")
    done = train("-e", text, "--data", "a.npz", "--batch", "3")
    assert done.exit_code == 1
    assert "error[wrong-setting]: `accumulate` must be at most 3" in done.output
    assert "help: give `--batch 4`, or more" in done.output
    assert not Path("run").exists()
    assert train("-e", text, "--data", "a.npz", "--batch", "4").exit_code == 0


def test_what_is_probably_not_meant_is_a_note(train: Train) -> None:
    np.savez("a.npz", a=np.ones(9), target=np.ones(9))
    done = train("-e", spec("schedule warmup 200 -> cosine"), "--data", "a.npz", "--column", "x=a,target")
    assert done.exit_code == 0
    assert "note: `warmup` takes 200 steps, and the run has 1: `cosine` never begins" in done.stderr
    assert "note: the column `target` is the input `target`, and is in `x` too" in done.stderr


def test_an_optimizer_that_is_for_a_gpu(train: Train) -> None:
    np.savez("a.npz", x=np.ones((3, 2), np.float32), target=np.ones(3, np.float32))
    done = train("-e", spec("optimizer adamw capturable=true"), "--data", "a.npz")
    assert done.exit_code == 1
    assert "error[wrong-setting]: `capturable` is for a GPU" in done.output


def test_a_loss_without_a_gradient(train: Train) -> None:
    np.savez("a.npz", x=np.ones((3, 2), np.float32), target=np.ones(3, np.float32))
    done = train("-e", spec('freeze "stem.*"', model="dense 3 as stem -> mean axis=1 -> cast int64 -> cast float32"), "--data", "a.npz")
    assert done.exit_code == 1
    assert "error[nothing-to-train]" in done.output
    assert "Traceback" not in done.output
    text = spec(model="dense 3 -> mean axis=1 -> cast int64 -> cast float32")
    done = train("-e", text, "--data", "a.npz")
    assert done.exit_code == 1
    assert "nothing to train: the loss depends on no parameter that is trained" in done.output
