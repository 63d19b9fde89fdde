"""Files whose tensors fit into no memory: the proof refuses them before it runs them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node

import netc
from netc.compiler.frontends.imported_model import ImportFailed
from netc.importing import memory_guard


def doubling(times: int, folder: Path) -> Path:
    """A file that joins its input with itself again and again, and takes the mean."""
    nodes = [node("Concat", [f"x{n}", f"x{n}"], [f"x{n + 1}"], axis=1) for n in range(times)]
    path = folder / "doubling.onnx"
    onnx.save(model([*nodes, node("ReduceMean", [f"x{times}"], ["y"], axes=[1])], {"x0": ["N", 4]}, ["y"]), path)
    return path


def test_tensors_that_fit_into_no_memory(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match=r"needs more memory than there is: a stage takes and makes tensors of .* GiB with N="):
        netc.from_onnx(doubling(50, tmp_path))


def test_the_limit_is_what_the_machine_has_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The largest stage of four doublings with N=3 takes 3 x 32 and makes 3 x 64 numbers of 4 bytes."""
    path = doubling(4, tmp_path)
    for left, refused in ((3 * (32 + 64) * 4 - 1, True), (3 * (32 + 64) * 4, False)):
        monkeypatch.setattr(memory_guard, "read_available_memory", lambda left=left: left)
        if refused:
            with pytest.raises(ImportFailed, match="needs more memory"):
                netc.from_onnx(path)
        else:
            x = np.ones((2, 4), np.float32)
            assert np.array_equal(netc.from_onnx(path).session()(x), np.ones((2, 1), np.float32))


def test_what_the_system_does_not_tell_is_no_limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory_guard, "read_available_memory", lambda: None)
    assert netc.from_onnx(doubling(2, tmp_path)).spec()


@pytest.mark.skipif(not Path("/proc/meminfo").exists(), reason="the system has no such file")
def test_available_memory() -> None:
    left = memory_guard.read_available_memory()
    assert left is not None
    assert 2**20 < left < 2**50
