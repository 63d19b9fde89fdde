"""Nearest neighbors in ONNX: the elements are those that PyTorch takes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812

import netc
from netc.compiler.backends.onnx.nearest_positions import list_positions, matches_resize
from netc.compiler.dims import make_symbol
from netc.compiler.ops.resampling import Stretch

H = make_symbol("H")
SCALES = (2, 3, 0.5, 0.25, 1.5, 1.25, 2.3, 0.7, 0.1, 1 / 3, 1.9999, 7, 41)
STRETCHES = [
    *(Stretch(n, result) for n in (1, 2, 3, 5, 8, 14, 36, 61, 97, 128) for result in (*range(1, 130), 224, 287)),
    *(Stretch(n, int(n * scale), scale) for n in range(1, 40) for scale in SCALES if int(n * scale)),
]


@pytest.mark.parametrize("mode", ["nearest", "nearest-exact"])
def test_nearest_places_are_those_of_pytorch(mode: str) -> None:
    """Where they lie just between two places, too."""
    for stretch in STRETCHES:
        options = {"size": stretch.result} if stretch.scale is None else {"scale_factor": stretch.scale}
        x = torch.arange(float(stretch.size)).expand(1, 2, -1)  # type: ignore[arg-type]
        wanted = F.interpolate(x, mode=mode, **options)[0, 0].numpy()  # type: ignore[arg-type]
        np.testing.assert_array_equal(list_positions(stretch, exact=mode == "nearest-exact"), wanted, err_msg=str(stretch))


@pytest.mark.parametrize("mode", ["nearest", "nearest_exact"])
def test_nearest_is_resize_where_that_is_the_same(mode: str) -> None:
    exact = mode == "nearest_exact"
    same = [s for s in STRETCHES if matches_resize(s, exact=exact)]
    assert all(matches_resize(Stretch(H, scale * H, scale), exact=exact) for scale in (2, 3, 4, 8))
    for stretch in same[:: max(1, len(same) // 40)]:
        how = f"size={stretch.result}" if stretch.scale is None else f"scale={stretch.scale}"
        model = netc.compile(f"input 1x{stretch.size} -> upsample {how} mode={mode}")
        assert [node.op_type for node in model.onnx().graph.node] == ["Resize"]
        x = np.arange(stretch.size, dtype=np.float32)[None, None]  # type: ignore[arg-type]
        np.testing.assert_array_equal(np.asarray(model.session()(x))[0, 0], list_positions(stretch, exact=exact), err_msg=str(stretch))
