"""Models to files, small ones and those that are too large for one."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from onnx import ModelProto, numpy_helper

import netc
from netc.compiler.backends.onnx import save
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.backends.onnx.save import save_proto, write_atomically
from netc.files import atomic_writing

TEXT = "input 64 -> dense 64 as a -> dense 64 as b -> dense 3 as c"


@pytest.fixture
def proto() -> ModelProto:
    return netc.compile(TEXT).onnx()


@pytest.fixture
def _tiny_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(save, "LARGEST", 1000)


def test_a_small_model_is_one_file(proto: ModelProto, tmp_path: Path) -> None:
    save_proto(proto, tmp_path / "m.onnx")
    assert os.listdir(tmp_path) == ["m.onnx"]
    assert (tmp_path / "m.onnx").read_bytes() == proto.SerializeToString()


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have no file names that are not UTF-8")
def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    """ONNX Runtime opens no such file itself."""
    model = netc.compile(TEXT)
    model.save(tmp_path / "\udcff.onnx", seed=0)
    x = np.ones((2, 64), np.float32)
    with torch.no_grad():
        wanted = model.module(seed=0).eval()(torch.from_numpy(x)).numpy()
    np.testing.assert_allclose(OnnxSession(tmp_path / "\udcff.onnx")(x), wanted, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("_tiny_limit")
def test_a_large_model_is_two_files(proto: ModelProto, tmp_path: Path) -> None:
    before = proto.SerializeToString()
    path = tmp_path / "m.onnx"
    save_proto(proto, path)
    one, two = sorted(os.listdir(tmp_path), key=len)
    assert one == "m.onnx"
    assert re.fullmatch(r"m\.onnx\.[0-9a-f]{16}\.data", two)
    assert proto.SerializeToString() == before
    assert path.stat().st_size < 4000
    onnx.checker.check_model(path, full_check=True)
    loaded = onnx.load(path)
    assert {t.name: numpy_helper.to_array(t).tobytes() for t in loaded.graph.initializer} == {
        t.name: numpy_helper.to_array(t).tobytes() for t in proto.graph.initializer
    }


@pytest.mark.usefixtures("_tiny_limit")
def test_a_large_model_runs(proto: ModelProto, tmp_path: Path) -> None:
    x = np.linspace(-1, 1, 128, dtype=np.float32).reshape(2, 64)
    save_proto(proto, tmp_path / "m.onnx")
    from_file, from_memory = OnnxSession(tmp_path / "m.onnx")(x), OnnxSession(proto)(x)
    save.LARGEST = 10**9
    whole = OnnxSession(proto)(x)
    assert np.array_equal(from_file, whole)
    assert np.array_equal(from_memory, whole)


@pytest.mark.usefixtures("_tiny_limit")
def test_files_are_the_same_each_time(proto: ModelProto, tmp_path: Path) -> None:
    found = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        save_proto(proto, tmp_path / name / "m.onnx")
        found.append([(f.name, f.read_bytes()) for f in sorted((tmp_path / name).iterdir())])
    assert found[0] == found[1]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(b"before")

    def chunks() -> object:
        yield b"half"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, chunks())  # type: ignore[arg-type]
    assert path.read_bytes() == b"before"
    assert os.listdir(tmp_path) == ["m.onnx"]


@pytest.mark.usefixtures("_tiny_limit")
def test_weights_of_an_older_model_are_not_left(tmp_path: Path) -> None:
    """Nor are the files of PyTorch's exporter; other files stay."""
    path = tmp_path / "m.onnx"
    for name in ("m.onnx.data", "mm.onnx.data", "m.onnx.data.txt", "m.py.data"):
        (tmp_path / name).write_text("")
    others = {"mm.onnx.data", "m.onnx.data.txt", "m.py.data"}
    model = netc.compile(TEXT)
    for seed in (0, 1):
        model.save(path, seed=seed)
        assert len(set(os.listdir(tmp_path)) - others) == 2
        assert onnx.load(path).graph.initializer[0].raw_data == model.onnx(seed=seed).graph.initializer[0].raw_data
    netc.compile("input 3 -> dense 2").save(path)
    assert set(os.listdir(tmp_path)) == {*others, "m.onnx"}


@pytest.mark.usefixtures("_tiny_limit")
def test_between_two_moves_the_old_model_is_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "m.onnx"
    model = netc.compile(TEXT)
    model.save(path, seed=0)
    before = onnx.load(path)
    move = os.replace

    def fails(new: str, old: str) -> None:
        if os.path.realpath(old) == os.path.realpath(path):
            raise KeyboardInterrupt
        move(new, old)

    monkeypatch.setattr(atomic_writing.os, "replace", fails)
    with pytest.raises(KeyboardInterrupt):
        model.save(path, seed=1)
    assert onnx.load(path) == before
