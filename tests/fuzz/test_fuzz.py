"""The long runs, short: that they run, and that inputs are made again."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import modules, onnx_files, spec_texts, specs, texts, weights
from tests.fuzz.damage import damaged


def test_the_randomness_decides() -> None:
    for ending, content in (("safetensors", b"\x02\0\0\0\0\0\0\0{}"), ("npz", b"PK\x03\x04"), ("npy", b"")):
        made = [[damaged(content, ending, Random(n)) for n in range(50)] for _ in range(2)]
        assert made[0] == made[1]
        assert len(set(made[0])) > 5
    assert texts.mangled(Random(3)) == texts.mangled(Random(3))


HERE = Path(__file__).parent
CAMPAIGNS = [path.stem for path in sorted(HERE.glob("*.py")) if "\nif __name__ ==" in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("name", CAMPAIGNS)
@pytest.mark.long
def test_a_campaign_is_started_as_its_docstring_says(name: str) -> None:
    command = [sys.executable, "-m", f"tests.fuzz.{name}", "--help"]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    ran = subprocess.run(command, cwd=HERE.parents[1], env=environment, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "--first" in ran.stdout
    assert f"python -m tests.fuzz.{name}" in (HERE / f"{name}.py").read_text(encoding="utf-8")


def test_damaged_weights(tmp_path: Path) -> None:
    found = [weights.check(Random(n), str(tmp_path / "w")) for n in range(100)]
    assert [one for one in found if one.what] == []
    assert {one.kind.partition(" ")[0] for one in found} == {"taken", "refused"}


def test_mangled_texts(tmp_path: Path) -> None:
    found = [texts.check(Random(n), str(tmp_path / "t")) for n in range(100)]
    assert [one for one in found if one.what and one.kind != "slow"] == []
    assert len({one.kind for one in found}) > 1


@pytest.mark.parametrize("count", [6, pytest.param(33, marks=pytest.mark.long)])
def test_random_modules(count: int, tmp_path: Path) -> None:
    """Number 33 has a shared module that changes its input in place, which is not proved."""
    found = [modules.check(Random(f"0 {n}"), str(tmp_path / "m")) for n in range(count)]
    assert [one for one in found if one.what] == []
    assert {one.kind for one in found} <= {"proved", "refused", "not written", "inexact"}
    assert sum(one.kind == "proved" for one in found) > count // 2
    assert modules.made(Random(3))[0] == modules.made(Random(3))[0]


@pytest.mark.parametrize("count", [24, pytest.param(200, marks=pytest.mark.long)])
def test_random_specs(count: int, tmp_path: Path) -> None:
    found = [specs.check(Random(f"0 {n}"), str(tmp_path / "s")) for n in range(count)]
    assert [one for one in found if one.what] == []
    assert sum(one.kind == "agrees" for one in found) > count // 2
    one, other = (spec_texts.spec(Random(3)) for _ in range(2))
    assert one is not None
    assert other is not None
    assert one.text == other.text


def test_changed_onnx_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the files alone: to make the suite's other models takes longer than to import them."""
    monkeypatch.setattr(onnx_files, "KINDS", ("simple", "pytorch-operator"))
    onnx_files.originals.cache_clear()
    found = [onnx_files.check(Random(f"0 {n}"), str(tmp_path / "m")) for n in range(60)]
    onnx_files.originals.cache_clear()
    assert [one for one in found if one.what] == []
    assert {one.kind for one in found} >= {"read", "refused"}
