"""`--weights` and what goes with it, on the command line."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from click.testing import CliRunner, Result
from onnx import numpy_helper
from safetensors.numpy import save_file

import netc
from netc.cli import cli
from netc.cli.write_progress import MIN_BYTES, _Bar
from netc.compiler.types.numpy_types import Array
from netc.compiler.weights.initial import draw_initial_values

SPEC = "input 3 -> dense 4 relu as backbone -> dense 2 as fc\n"
MODEL = netc.compile(SPEC)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, Array]:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.net").write_text(SPEC)
    return draw_initial_values(MODEL.parameters, 5)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words))


def initializers(path: str = "m.onnx") -> dict[str, Array]:
    return {t.name: numpy_helper.to_array(t) for t in onnx.load(path).graph.initializer}


def same(found: dict[str, Array], wanted: dict[str, Array]) -> bool:
    return all(np.array_equal(found[name], wanted[name]) for name in wanted)


def test_several_files_and_a_folder(own: dict[str, Array]) -> None:
    os.mkdir("w")
    save_file({n: a for n, a in own.items() if n.startswith("fc")}, "w/fc.safetensors")
    save_file({n: a for n, a in own.items() if n.startswith("backbone")}, "w/backbone.safetensors")
    for words in (["--weights", "w"], ["--weights", "w/fc.safetensors", "--weights", "w/backbone.safetensors"]):
        assert run("compile", "m.net", *words, "-o", "m.onnx").output == ""
        assert same(initializers(), own)
        os.unlink("m.onnx")
        assert run("check", "m.net", *words).exit_code == 0
        assert run("run", "m.net", "--random", *words).exit_code == 0
    assert run("check", "m.net", "--weights", "w/fc.safetensors").exit_code == 1


def test_a_part_of_them(own: dict[str, Array]) -> None:
    """Another head, as the seed draws it."""
    given = {f"module.{n}": a for n, a in own.items() if n != "fc.bias"}
    save_file({**given, "module.fc.weight": np.ones((9, 4), np.float32), "module.aux.0": np.ones(1, np.float32)}, "w.safetensors")
    words = ["--weights", "w.safetensors", "--ignore", "aux.*", "--ignore", "fc.*", "--allow-missing", "fc.*"]
    done = run("compile", "m.net", *words, "--seed", "2", "-o", "m.onnx")
    assert done.exit_code == 0
    prefix, ignored, drawn = done.output.splitlines()
    assert prefix == "note: the prefix `module.` was removed from the names of the weights"
    assert sorted(ignored.removeprefix("note: left out of the weights: ").split(", ")) == ["`module.aux.0`", "`module.fc.weight`"]
    assert drawn == "note: initialized, since they are not in the weights: `fc.weight`, `fc.bias`"
    new = draw_initial_values(MODEL.parameters, 2)
    assert same(initializers(), {n: a if n.startswith("backbone") else new[n] for n, a in own.items()})
    assert run("check", "m.net", *words).exit_code == 0


def test_a_named_prefix(own: dict[str, Array]) -> None:
    save_file({f"net.{n}": a for n, a in own.items()}, "w.safetensors")
    assert run("compile", "m.net", "--weights", "w.safetensors", "--strip-prefix", "net.", "-o", "m.onnx").output == ""
    assert same(initializers(), own)
    done = run("compile", "m.net", "--weights", "w.safetensors", "--strip-prefix", "", "-o", "m.onnx")
    assert "remove the prefix `net.`, which every name in the weights has: `--strip-prefix net.`" in done.output


@pytest.mark.parametrize("words", [["--ignore", "a"], ["--allow-missing", "a"], ["--strip-prefix", "a"]])
def test_what_is_for_weights(own: dict[str, Array], words: list[str]) -> None:
    done = run("compile", "m.net", *words, "-o", "m.onnx")
    assert done.exit_code == 2
    assert "are for --weights" in done.output


def test_weights_are_not_written_over(own: dict[str, Array]) -> None:
    save_file(own, "w.onnx")
    save_file(own, "w.safetensors")
    done = run("compile", "m.net", "--weights", "w.safetensors", "--weights", "w.onnx", "-o", "w.onnx")
    assert "-o would overwrite `w.onnx`" in done.output


def test_names_control_no_terminal(own: dict[str, Array]) -> None:
    save_file({**own, "a\x1b[2J": np.ones(1, np.float32)}, "w.safetensors")
    done = run("compile", "m.net", "--weights", "w.safetensors", "--ignore", "a*J", "-o", "m.onnx")
    assert done.exit_code == 0
    assert "`a\\u{1b}[2J`" in done.output
    assert "\x1b" not in done.output


def test_the_bar(capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing of files that are written at once, and nothing left of others."""
    bar = _Bar(MIN_BYTES)
    bar(1, MIN_BYTES - 1)
    assert bar._bar is None
    bar(MIN_BYTES // 2, MIN_BYTES)
    bar(MIN_BYTES, MIN_BYTES)
    assert bar._bar.finished
    bar.stop()
