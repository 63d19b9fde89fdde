from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

import netc as api

Netc = Callable[..., Any]
TINY = "input 3 -> dense 2 sigmoid"


def test_by_the_ending(netc: Netc, folder: Path) -> None:
    assert netc("compile", "-e", TINY, "-o", "m.onnx", "--seed", 3).exit_code == 0
    assert onnx.load(folder / "m.onnx") == api.compile(TINY).onnx(seed=3)
    assert netc("compile", "-e", TINY, "-o", "m.py").exit_code == 0
    assert (folder / "m.py").read_text() == api.compile(TINY).source()


def test_by_the_target(netc: Netc, folder: Path) -> None:
    assert netc("compile", "-e", TINY, "--target", "torch").stdout == api.compile(TINY).source()
    assert netc("compile", "-e", TINY, "--target", "torch", "-o", "-").stdout == api.compile(TINY).source()
    assert netc("compile", "-e", TINY, "--target", "onnx", "-o", "-").stdout_bytes == api.compile(TINY).onnx().SerializeToString()
    netc("compile", "-e", TINY, "--target", "onnx", "-o", "model.bin")
    assert onnx.load(folder / "model.bin") == api.compile(TINY).onnx()


def test_a_note_where_onnx_runtime_differs(netc: Netc, folder: Path) -> None:
    """Of NaN and infinite numbers: one line, for ONNX only, once for each operator, and only if asked for."""
    text = "input 3x9x9 -> repeat 2 { max_pool 2 -> gelu }"
    assert netc("compile", "-e", text, "-o", "m.onnx").stderr == ""
    noted = netc("compile", "-e", text, "-o", "m.onnx", "--verbose")
    assert noted.exit_code == 0
    assert noted.stderr.startswith("note: for NaN or infinite inputs, `gelu` and `max_pool` in ONNX Runtime may give other")
    assert noted.stderr.endswith("`netc ops gelu` says more\n")
    assert netc("compile", "-e", text, "-o", "m.py", "--verbose").stderr == ""
    assert netc("compile", "-e", "input 3x9x9 int64 -> max_pool 2", "-o", "m.onnx", "--verbose").stderr == ""
    assert "Of infinity, ONNX Runtime" in netc("ops", "gelu").stdout


def test_a_note_where_all_keys_may_be_hidden(netc: Netc, folder: Path) -> None:
    text = "x = input [T, 8]; p = input [T] bool; x -> multihead_attention 2 key_padding_mask=p"
    assert netc("compile", "-e", text, "-o", "m.onnx", "--seed", "1").stderr == (
        "note: for queries whose keys are all hidden, `multihead_attention` in ONNX Runtime may give other results than PyTorch; "
        "`netc ops multihead_attention` says more\n"
    )
    assert netc("compile", "-e", "input [T, 8] -> multihead_attention 2", "-o", "m.onnx", "--seed", "1").stderr == ""


@pytest.mark.parametrize(
    ("stage", "words"),
    [
        ("tokens", ("INPUT", "'sigmoid'")),
        ("ast", ("Flow", "name='dense'")),
        ("graph", ("dense(input)", "[N, 2]", "sigmoid")),
        ("torch", ("nn.Linear(3, 2)",)),
        ("onnx", ("Gemm", "dense1.weight")),
    ],
)
def test_emit(netc: Netc, folder: Path, stage: str, words: tuple[str, ...]) -> None:
    done = netc("compile", "-e", TINY, "--emit", stage)
    assert done.exit_code == 0
    assert all(word in done.stdout for word in words)
    netc("compile", "-e", TINY, "--emit", stage, "-o", "out.txt")
    assert (folder / "out.txt").read_text() == done.stdout


def test_a_note_on_random_parameters(netc: Netc, folder: Path) -> None:
    """A file that nobody trained is not shipped by mistake. It is said once, where there are parameters and none were asked for."""
    note = "note: the parameters are random numbers, drawn with seed 0; --weights gives trained ones\n"
    assert netc("compile", "-e", TINY, "-o", "m.onnx").stderr == note
    assert onnx.load(folder / "m.onnx") == api.compile(TINY).onnx(seed=0)
    for words in (("-e", TINY, "-o", "s.onnx", "--seed", 0), ("-e", TINY, "-o", "m.py"), ("-e", "input 3 -> relu", "-o", "r.onnx")):
        assert netc("compile", *words).stderr == ""
    assert netc("compile", "m.onnx", "-o", "again.onnx").stderr == ""
    assert netc("compile", "-e", "input [T, 3] -> dense 2", "--stream", "T", "-o", "t.onnx").stderr.endswith(note)


@pytest.mark.parametrize("stage", ["ast", "graph", "torch", "onnx"])
def test_emit_what_is_wrong(netc: Netc, stage: str) -> None:
    done = netc("compile", "-e", "input 3 -> ]", "--emit", stage)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error[" in done.stderr


def test_errors_go_to_standard_error_and_nothing_is_written(netc: Netc, folder: Path) -> None:
    done = netc("compile", "-e", "input 3 -> dens 2", "-o", "m.onnx")
    assert (done.exit_code, done.stdout) == (1, "")
    assert "error[unknown-operator]" in done.stderr
    assert list(folder.iterdir()) == []


def test_weights(netc: Netc, folder: Path) -> None:
    np.savez("w.npz", **{"dense1.weight": np.ones((2, 3), np.float32), "dense1.bias": np.zeros(2, np.float32)})
    np.savez("bad.npz", **{"dense1.weight": np.ones((3, 2), np.float32)})
    (folder / "broken.safetensors").write_bytes(b"nonsense")
    assert netc("compile", "-e", TINY, "--weights", "w.npz", "-o", "m.onnx").exit_code == 0
    before = (folder / "m.onnx").read_bytes()
    for weights in ("bad.npz", "broken.safetensors", "none.npz", "w.txt", "."):
        done = netc("compile", "-e", TINY, "--weights", weights, "-o", "m.onnx")
        assert done.exit_code == 1, weights
        assert done.stderr.startswith("error[weights-"), done.stderr
    assert (folder / "m.onnx").read_bytes() == before


@pytest.mark.parametrize("name", ["m.py", "m.onnx"])
def test_files_stay_whole(netc: Netc, folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    (folder / name).write_text("old")
    monkeypatch.setattr(os, "fsync", _full)
    done = netc("compile", "-e", TINY, "-o", name)
    assert done.exit_code == 1
    assert done.stderr == f"error: cannot write `{name}`: no space left on device\n"
    assert (folder / name).read_text() == "old"
    assert [p.name for p in folder.iterdir()] == [name]


def _full(descriptor: int) -> None:
    raise OSError(28, "No space left on device")


def test_links_and_modes_are_kept(netc: Netc, folder: Path) -> None:
    (folder / "real.py").write_text("old")
    (folder / "real.py").chmod(0o640)
    (folder / "link.py").symlink_to("real.py")
    assert netc("compile", "-e", TINY, "-o", "link.py").exit_code == 0
    assert (folder / "link.py").is_symlink()
    assert "Linear" in (folder / "real.py").read_text()
    assert (folder / "real.py").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("output", "says"),
    [("no/such/m.py", "there is no folder `no/such`"), ("folder.py", "it is a directory"), ("/dev/full", "no space left on device")],
)
def test_what_cannot_be_written(netc: Netc, folder: Path, output: str, says: str) -> None:
    (folder / "folder.py").mkdir()
    done = netc("compile", "-e", TINY, "--target", "torch", "-o", output)
    assert done.exit_code == 1
    assert done.stderr == f"error: cannot write `{output}`: {says}\n"


@pytest.mark.parametrize(("command", "ending"), [("compile", "py"), ("draw", "svg"), ("run", "npz")])
def test_the_place_is_checked_first(netc: Netc, folder: Path, command: str, ending: str) -> None:
    """Before what is wrong with the spec. Nothing is left of that."""
    done = netc(command, "-e", "input 3 -> dens 2", "-o", f"no/m.{ending}")
    assert (done.exit_code, done.stderr) == (1, f"error: cannot write `no/m.{ending}`: there is no folder `no`\n")
    assert "unknown" in netc(command, "-e", "input 3 -> dens 2", "-o", f"m.{ending}").stderr
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["-o", "m.txt"],
        ["-o", "m"],
        ["--target", "onnx"],
        ["--target", "jax", "-o", "m.py"],
        ["--emit", "llvm"],
        ["--emit", "graph", "--target", "torch"],
        ["--emit", "onnx", "--seed", "3"],
        ["--emit", "tokens", "-o", "new.net"],
        ["--emit", "onnx", "-o", "m.onnx"],
        ["--emit", "ast", "--dim", "T=3"],
        ["--emit", "tokens", "--dtype", "float16"],
        ["--emit", "torch", "--section", "a"],
        ["-o", "m.py", "--seed", "3"],
        ["-o", "m.py", "--weights", "w.npz"],
        ["-o", "m.onnx", "--seed", "-1"],
        ["-o", "m.onnx", "--seed", "x"],
        ["-o", "m.onnx", "--seed", str(2**64)],
    ],
)
def test_wrong_usage(netc: Netc, folder: Path, words: list[str]) -> None:
    done = netc("compile", "-e", TINY, *words)
    assert done.exit_code == 2
    assert done.output.startswith("Usage: netc compile")
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("output", ["m.py", "m.net"])
def test_every_option_that_does_not_apply_is_named(netc: Netc, folder: Path, output: str) -> None:
    words = ("--weights", "w.npz", "--opset", 17, "--metadata", "a=b", "--no-optimize", "--quantize", "int8")
    done = netc("compile", "-e", TINY, "-o", output, *words)
    assert (done.exit_code, list(folder.iterdir())) == (2, [])
    assert all(word in done.stderr for word in ("--weights", "`--opset`", "`--no-optimize`", "`--metadata` are for `.onnx`", "--quantize"))
    assert done.stderr.count("Error") == 1
    for other in (("--emit", "tokens"), ("--target", "train")):
        assert "--opset, --metadata are for graphs" in netc("compile", "-e", TINY, *other, "--opset", 17, "--metadata", "a=b").stderr


@pytest.mark.parametrize("words", [["--target", "torch"], ["--emit", "graph"], ["--emit", "tokens"], ["--emit", "torch"]])
def test_a_spec_is_never_overwritten(netc: Netc, folder: Path, words: list[str]) -> None:
    """Neither the one that is compiled, by whichever name, nor one that it uses."""
    (folder / "s.txt").write_text('use "used.net"\ninput 3 -> b')
    (folder / "used.net").write_text("block b { dense 2 }")
    (folder / "link.py").symlink_to("used.net")
    (folder / "s.py").symlink_to("s.txt")
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for output in ("s.txt", "used.net", "link.py", "s.py"):
        done = netc("compile", "s.txt", *words, "-o", output)
        assert (done.exit_code, done.stdout) == (2, "")
        assert "overwrite" in done.stderr
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


@pytest.mark.parametrize("words", [[], ["--target", "net"], ["--seed", "1"], ["--opset", "20"]])
def test_a_new_spec_is_written(netc: Netc, folder: Path, words: list[str]) -> None:
    """Once: the second time it is a spec that exists. Options of ONNX are refused for it."""
    done = netc("compile", "-e", TINY, "-o", "new.net", *words)
    if words[:1] in (["--seed"], ["--opset"]):
        assert (done.exit_code, list(folder.iterdir())) == (2, [])
        return
    assert (done.exit_code, done.stderr) == (0, "")
    before = (folder / "new.net").read_text()
    assert list(api.compile_file("new.net").parameters) == list(api.compile(TINY).parameters)
    again = netc("compile", "-e", "input 7", "-o", "new.net", *words)
    assert again.exit_code == 2
    assert "`new.net` is a spec that exists" in again.stderr
    assert (folder / "new.net").read_text() == before


def test_the_start_of_a_stream_overwrites_no_spec(netc: Netc, folder: Path) -> None:
    text = "x = input [T, 4]\nc = input [1, 4]\ny = c -> dense 4\nx + y"
    (folder / "s.start.net").write_text("input 3")
    done = netc("compile", "-e", text, "--stream", "T", "-o", "s.net")
    assert done.exit_code == 2
    assert "`s.start.net` is a spec that exists" in done.stderr
    assert [path.name for path in folder.iterdir()] == ["s.start.net"]
    (folder / "s.start.net").unlink()
    assert netc("compile", "-e", text, "--stream", "T", "-o", "s.net").exit_code == 0
    assert api.compile_file("s.start.net").inputs.keys() == {"c"}


def test_weights_are_not_overwritten(netc: Netc, folder: Path) -> None:
    (folder / "w.npz").write_bytes(b"")
    assert netc("compile", "-e", "input 3 -> dense 2", "--target", "onnx", "--weights", "w.npz", "-o", "w.npz").exit_code == 2


def test_ruined_weights_are_reported(netc: Netc, folder: Path) -> None:
    np.savez(folder / "w.npz", **{"dense1.weight": np.full((2, 3), np.nan, np.float32), "dense1.bias": np.zeros(2, np.float32)})
    done = netc("compile", "-e", "input 3 -> dense 2", "--weights", "w.npz", "-o", "m.onnx")
    assert (done.exit_code, done.stderr) == (0, "warning: NaN or infinity in the weights: `dense1.weight`\n")
