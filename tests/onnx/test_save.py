"""Models to files, small ones and those that are too large for one."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, numpy_helper

import netc
from netc.compiler.backends.onnx import save
from netc.compiler.backends.onnx.runtime import OnnxSession
from netc.compiler.backends.onnx.save import save_proto, write_atomically

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


@pytest.mark.usefixtures("_tiny_limit")
def test_a_large_model_is_two_files(proto: ModelProto, tmp_path: Path) -> None:
    before = proto.SerializeToString()
    path = tmp_path / "m.onnx"
    save_proto(proto, path)
    assert sorted(os.listdir(tmp_path)) == ["m.onnx", "m.onnx.data"]
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
        found.append([(tmp_path / name / f).read_bytes() for f in ("m.onnx", "m.onnx.data")])
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
