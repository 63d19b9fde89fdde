"""`Reshape` in ONNX files with a size that follows from the others, proved by ONNX Runtime."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest

import netc
from tests.frontends.onnx_models import model, node


def imported(tmp_path: Path, made: onnx.ModelProto) -> netc.Model:
    """The model of a file, which is compared with what ONNX Runtime computes."""
    path = tmp_path / "m.onnx"
    onnx.save(made, path)
    return netc.from_onnx(path)


@pytest.mark.parametrize("sizes", [[0, -1, 4], [0, 0, -1, 4], [-1, 12], [0, -1]])
def test_reshape_with_a_size_that_follows(tmp_path: Path, sizes: list[int]) -> None:
    """`[0, -1, 4]` splits heads: one size in place of several, or several of one, is no reason to leave a stage out."""
    x = np.arange(120, dtype=np.float32).reshape(2, 5, 12)
    spec = imported(tmp_path, model([node("Reshape", ["x", "s"], ["y"])], {"x": ["N", 5, 12]}, ["y"], {"s": np.array(sizes)}))
    wanted = [x.shape[i] if size == 0 else size for i, size in enumerate(sizes)]
    result = spec.session()(x)
    assert isinstance(result, np.ndarray)
    np.testing.assert_array_equal(result, x.reshape(wanted))
