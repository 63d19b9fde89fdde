"""Commands that take the name of a published model in place of a file. The judge is the same file with `--model`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from netc.cli import cli
from netc.files.published_specs import SPECS_FOLDER

RESNET = str(Path(SPECS_FOLDER) / "vision" / "resnet.net")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def netc(*words: str) -> Result:
    return CliRunner().invoke(cli, words, prog_name="netc")


@pytest.mark.sample(3)
@pytest.mark.parametrize(
    "words",
    [
        ("summary", "resnet18", "--depth", "1"),
        ("check", "resnet18", "--shapes"),
        ("compile", "resnet18", "--target", "net"),
        ("compile", "resnet18", "--set", "classes=3", "--target", "torch"),
        ("run", "resnet18", "--random", "--dim", "H=32", "--dim", "W=32"),
        ("plan", "neuron", "--batch", "4", "--device-type", "h100"),
    ],
    ids=lambda words: words[0],
)
def test_a_name_is_the_model_of_its_file(words: tuple[str, ...]) -> None:
    command, name, *options = words
    by_name = netc(*words)
    path = RESNET if name == "resnet18" else str(Path(SPECS_FOLDER) / "seed" / f"{name}.net")
    by_path = netc(command, path, *(("--model", name) if path == RESNET else ()), *options)
    assert by_name.exit_code == 0, by_name.output
    assert by_name.stdout == by_path.stdout


def test_files_are_written_for_a_name(folder: Path) -> None:
    assert netc("draw", "resnet18", "-o", "a.svg").exit_code == 0
    assert netc("draw", RESNET, "--model", "resnet18", "-o", "b.svg").exit_code == 0
    assert (folder / "a.svg").read_bytes() == (folder / "b.svg").read_bytes()
    assert {path.name for path in folder.iterdir()} == {"a.svg", "b.svg"}


def test_a_published_section_is_trained(folder: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(8, 6)).astype(np.float32)
    np.savez(folder / "data.npz", input=rows[:, :5], target=(rows[:, 5:] > 0).astype(np.float32))
    for name, spec in ("a", "neuron"), ("b", str(Path(SPECS_FOLDER) / "seed" / "neuron.net")):
        done = netc("train", spec, "--steps", "2", "-o", name, "--data", "data.npz")
        assert done.exit_code == 0, done.output
    assert (folder / "a" / "best.safetensors").read_bytes() == (folder / "b" / "best.safetensors").read_bytes()
    assert netc("train", "--resume", "a").exit_code == netc("train", "--resume", "b").exit_code


def test_a_file_of_that_name_wins(folder: Path) -> None:
    (folder / "resnet18").write_text("input 3 -> dense 2\n")
    assert "[N, 2]" in netc("summary", "resnet18").stdout
    (folder / "resnet34").mkdir()
    assert netc("summary", "resnet34").exit_code == 1


@pytest.mark.parametrize("name", ["resnet18.net", "vision/resnet", "zoo/vision/resnet.net", "./resnet18"])
def test_a_path_is_no_name(name: str) -> None:
    """A misspelled path must not be another text."""
    done = netc("check", name)
    assert done.exit_code == 1
    assert "there is no such file" in done.output


def test_near_names_are_of_files_and_models(folder: Path) -> None:
    (folder / "resnet17").write_text("input 3\n")
    help_ = next(line for line in netc("check", "resnet19").output.splitlines() if "help" in line)
    assert "`resnet17`" in help_
    assert "`resnet18`" in help_


def test_a_published_spec_is_not_changed(folder: Path) -> None:
    before = Path(RESNET).read_bytes()
    done = netc("format", "resnet18")
    assert "`resnet18` is part of netc" in done.output
    assert done.exit_code == 1
    assert netc("check", "--fix", "resnet18").exit_code == 0
    assert Path(RESNET).read_bytes() == before
    assert not [*folder.iterdir()]


def test_training_a_model_without_a_section_names_what_to_write(folder: Path) -> None:
    done = netc("train", "resnet18", "--data", "x.csv", "-o", "run")
    assert 'write a file with `use "zoo/vision/resnet.net": resnet18` and `train for resnet18 {' in done.output
    loss = "target = input 1000; loss = (output, target) -> mse_loss"
    (folder / "mine.net").write_text(f'use "zoo/vision/resnet.net": resnet18\ntrain for resnet18 {{ {loss} }}\n')
    assert netc("check", "mine.net").exit_code == 0
