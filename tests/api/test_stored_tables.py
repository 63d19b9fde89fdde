"""Tables that are arrays of a file: the numbers are NumPy's, whatever the target and the element type."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest
import torch
from safetensors.numpy import load_file, save_file

import netc
from netc.analysis import Choice, analyze
from netc.dsl.formatter import format_source
from netc.dsl.source import SourceFile
from netc.files.spec_hash import hash_spec

HARD = np.array([[np.nan, np.inf, -np.inf, -0.0], [1e-45, 3.4e38, 1e-3, 1 / 3]], np.float32)
ARRAYS = {
    "float32": HARD,
    "float64": HARD.astype(np.float64) / 3,
    "float16": np.linspace(-9, 9, 40, dtype=np.float16).reshape(5, 8),
    "bfloat16": np.linspace(-9, 9, 6).astype(ml_dtypes.bfloat16),
    "int64": np.array([2**62, -(2**62), 2**53 + 1]),
    "int32": np.arange(-70, 70, dtype=np.int32).reshape(7, 1, 20),
    "int16": np.array([-(2**15)], np.int16),
    "int8": np.array([[[-128, 127]]], np.int8),
    "uint8": np.arange(256, dtype=np.uint8),
    "bool": np.arange(100).reshape(10, 10) % 7 == 0,
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    save_file(ARRAYS, tmp_path / "x.safetensors")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def spec(names: list[str], label: bool = False) -> str:
    lines = [f't{n} = table {list(ARRAYS[n].shape)} {n} file="x.safetensors" name="{n}"' + f" as {n}" * label for n in names]
    return "\n".join(["x = input 1", *lines, "out x -> relu, " + ", ".join(f"t{n}" for n in names)])


def numbers(tensor: torch.Tensor) -> np.ndarray:
    return tensor.float().numpy() if tensor.dtype == torch.bfloat16 else tensor.numpy()


@pytest.mark.parametrize("label", [False, True])
def test_numbers(folder: Path, label: bool) -> None:
    names = list(ARRAYS)
    model = netc.compile(spec(names, label))
    module = model.module()
    made = module(torch.zeros(2, 1))[1:]
    known = list(model.session()(np.zeros((2, 1), np.float32)).values())[1:]
    for name, one, other in zip(names, made, known, strict=True):
        wanted = ARRAYS[name]
        assert str(one.dtype) == f"torch.{name}"
        np.testing.assert_array_equal(numbers(one), wanted.astype(numbers(one).dtype))
        np.testing.assert_array_equal(np.asarray(other).astype(wanted.dtype), wanted)
    assert list(module.state_dict()) == (names if label else [])


def test_without_a_type(folder: Path) -> None:
    """Real numbers without a type have the model's type."""
    text = 'x = input 2x4\nx + (table [2, 4] file="x.safetensors" name="float32")'
    for dtype in (torch.float32, torch.float64, torch.bfloat16):
        module = netc.compile(text, dtype=dtype).module()
        assert module(torch.zeros(1, 2, 4, dtype=dtype)).dtype == dtype


@pytest.mark.long
def test_emitted_source_stands_alone(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    away = tmp_path_factory.mktemp("away")
    netc.compile(spec(["float32", "int32", "bool"])).save(away / "model.py")
    text = "import torch, model; print([t.double().nansum().item() for t in model.Net()(torch.zeros(2, 1))[2:]])"
    source = (away / "model.py").read_text()
    name = next(line.split("(")[0].removeprefix("class ") for line in source.splitlines() if line.startswith("class "))
    ran = subprocess.run([sys.executable, "-c", text.replace("Net", name)], cwd=away, capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == str([float(ARRAYS["int32"].sum()), float(ARRAYS["bool"].sum())])


def test_a_saved_spec_has_its_arrays(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    away = tmp_path_factory.mktemp("away")
    netc.compile(spec(["int32", "float16"], label=True)).save(away / "model.net")
    kept = load_file(away / "model.net.safetensors")
    assert {name: array.tolist() for name, array in kept.items()} == {n: ARRAYS[n].tolist() for n in ("int32", "float16")}
    monkeypatch.chdir(away)
    again = netc.compile_file("model.net")
    np.testing.assert_array_equal(again.module()(torch.zeros(2, 1))[1].numpy(), ARRAYS["int32"])
    netc.compile("input 3 -> relu").save(away / "model.net")
    assert sorted(os.listdir(away)) == ["model.net"]


def test_another_content_is_another_spec(folder: Path) -> None:
    source = SourceFile("x.net", spec(["int32"]))
    before = hash_spec(analyze(source, Choice()), Choice())
    assert hash_spec(analyze(source, Choice()), Choice()) == before
    save_file(ARRAYS | {"int32": ARRAYS["int32"] + 1}, folder / "x.safetensors")
    assert hash_spec(analyze(source, Choice()), Choice()) != before


def test_format() -> None:
    text = 'x = input 4\ny = table  [4]  int64   file = "x.safetensors"  name= "a b" as k\nz = table (i) [4]=i\nout x,y+z\n'
    formatted, _ = format_source(SourceFile("x.net", text))
    assert formatted == 'x = input 4\ny = table [4] int64 file="x.safetensors" name="a b" as k\nz = table (i) [4] = i\nout x, y + z\n'


@pytest.mark.parametrize(
    "path", ["../x.safetensors", "link.safetensors", "folder.safetensors", "pipe.safetensors", "/dev/zero", "a\0.safetensors"]
)
def test_what_may_be_read(folder: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inside = folder / "inside"
    (inside / "folder.safetensors").mkdir(parents=True)
    (inside / "link.safetensors").symlink_to(folder / "x.safetensors")
    os.mkfifo(inside / "pipe.safetensors")
    monkeypatch.chdir(inside)
    text = spec(["int32"]).replace("x.safetensors", path)
    with pytest.raises(netc.CompileError) as failed:
        netc.compile(text)
    assert [d.code for d in failed.value.diagnostics] == ["cannot-use"]


def test_a_file_that_is_damaged(folder: Path) -> None:
    whole = (folder / "x.safetensors").read_bytes()
    for damaged in (b"", whole[:7], whole[:60], whole[:-1], b"\xff" * 8 + whole[8:], whole[:8] + b"{" * 40 + whole[48:]):
        (folder / "x.safetensors").write_bytes(damaged)
        with pytest.raises(netc.CompileError, match="it is no safetensors file"):
            netc.compile(spec(["int32"]))


def test_an_allowed_folder(folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path_factory.mktemp("away"))
    text = spec(["int32"]).replace("x.safetensors", str(folder / "x.safetensors"))
    assert netc.compile(text, allow_paths=[folder]).module()(torch.zeros(1, 1))[1].sum() == ARRAYS["int32"].sum()


def test_in_a_block_of_another_file(folder: Path) -> None:
    """The path is relative to the file that the table is in; its name may be a parameter."""
    (folder / "parts").mkdir()
    save_file({"a": np.ones(3, np.float32), "b": np.full(3, 2, np.float32)}, folder / "parts/y.safetensors")
    (folder / "parts/p.net").write_text('block shifted(which) { in + (table [3] file="y.safetensors" name="{which}") }\n')
    text = 'use "parts/p.net": shifted\ninput 3 -> shifted "a" -> repeat which in ["b", "a"] { shifted which }'
    assert netc.compile(text).module()(torch.zeros(1, 3)).tolist() == [[4.0] * 3]
