"""`netc check --weights`: a checkpoint against a spec, by its header."""

from __future__ import annotations

import json
import struct
import tracemalloc
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from safetensors.numpy import save_file

from netc.cli import cli

SPEC = "input 3 -> dense 4 relu as fc1 -> dense 2 as fc2\n"
RIGHT = {"fc1.weight": (4, 3), "fc1.bias": (4,), "fc2.weight": (2, 4), "fc2.bias": (2,)}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.net").write_text(SPEC)
    return tmp_path


def check(weights: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["check", "m.net", "--weights", weights])
    return result.exit_code, result.output


@pytest.mark.parametrize("kind", [np.float32, np.float16, np.float64])
def test_fits(folder: Path, kind: type) -> None:
    save_file({name: np.zeros(shape, kind) for name, shape in RIGHT.items()}, "w.safetensors")
    assert check("w.safetensors")[0] == 0
    np.savez("w.npz", **{name: np.zeros(shape, kind) for name, shape in RIGHT.items()})
    assert check("w.npz")[0] == 0


def test_reports_all_at_the_stages(folder: Path) -> None:
    wrong = {**RIGHT, "fc2.weight": (2, 5), "fc3.bias": (2,)}
    del wrong["fc2.bias"]
    save_file({name: np.zeros(shape, np.float32) for name, shape in wrong.items()}, "w.safetensors")
    code, output = check("w.safetensors")
    assert code == 1
    assert "m.net:1:35" in output
    for said in (
        "[2, 5] instead of [2, 4]",
        "missing from the weights: `fc2.bias`",
        "unexpected in the weights: `fc3.bias`",
        "rename `fc3.bias` to `fc2.bias`",
    ):
        assert said in output


def test_integers_are_no_weights(folder: Path) -> None:
    save_file({name: np.zeros(shape, np.int64) for name, shape in RIGHT.items()}, "w.safetensors")
    code, output = check("w.safetensors")
    assert code == 1
    assert "holds int64 instead of float32" in output


def test_only_the_header_is_read(folder: Path) -> None:
    """A sparse file of eight gigabytes: reading it would be noticed."""
    (folder / "m.net").write_text("input 40000 -> dense 50000 bias=false as fc\n")
    size = 40000 * 50000 * 4
    header = json.dumps({"fc.weight": {"dtype": "F32", "shape": [50000, 40000], "data_offsets": [0, size]}}).encode()
    with open("w.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)
    assert check("w.safetensors")[0] == 0


@pytest.mark.parametrize("kind", ["F64", "F16", "BF16"])
def test_other_floats_take_no_memory_either(folder: Path, kind: str) -> None:
    """Converted they would be 256 megabytes."""
    (folder / "m.net").write_text("input 8000 -> dense 8000 bias=false as fc\n")
    size = 8000 * 8000 * (8 if kind == "F64" else 2)
    header = json.dumps({"fc.weight": {"dtype": kind, "shape": [8000, 8000], "data_offsets": [0, size]}}).encode()
    with open("w.safetensors", "wb") as file:
        file.write(struct.pack("<Q", len(header)) + header)
        file.truncate(8 + len(header) + size)
    tracemalloc.start()
    try:
        assert check("w.safetensors")[0] == 0
        assert tracemalloc.get_traced_memory()[1] < 2 * 8000 * 8000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["none.safetensors", "m.net", "junk.safetensors"])
def test_unreadable(folder: Path, name: str) -> None:
    (folder / "junk.safetensors").write_bytes(b"junk")
    code, output = check(name)
    assert code == 1
    assert "weights-unreadable" in output
    assert "Traceback" not in output
