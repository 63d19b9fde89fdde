"""Cumulative sums of ONNX that leave out each element's own number, next to NaN and infinity: ONNX Runtime is the judge."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from frontends.onnx_models import model, node
from frontends.onnx_parity import session

import netc

NUMBERS = np.array([[np.nan, 1, 2], [np.inf, -1, 3], [-np.inf, 0, 4], [5, -6, np.inf]], np.float32)


@pytest.mark.parametrize("reverse", [0, 1])
@pytest.mark.parametrize("width", [1, 3])
def test_exclusive_sums(tmp_path: Path, reverse: int, width: int) -> None:
    summed = node("CumSum", ["x", "axis"], ["y"], exclusive=1, reverse=reverse)
    proto = model([summed], {"x": ["N", width]}, ["y"], {"axis": np.array(1)})
    onnx.save(proto, tmp_path / "m.onnx")
    x = NUMBERS[:, :width]
    wanted = session(proto).run(None, {"x": x})[0]
    imported = netc.from_onnx(tmp_path / "m.onnx")
    np.testing.assert_array_equal(imported.session()(x), wanted)
    assert np.isfinite(wanted[:, -1 if reverse else 0]).all()
