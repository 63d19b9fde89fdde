"""Operators that square float32 numbers above 1e19 differ from PyTorch, and their pages say so."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import netc
from netc.compiler.backends.onnx.kernel_differences import DIFFERENCES, LARGE_FLOATS, describe_differences
from netc.compiler.ops import Operator

LISTED = {name for difference in DIFFERENCES if LARGE_FLOATS in difference.numbers for name in difference.operators}
TEXTS = {
    "var": "input [4] -> var axis=1",
    "std": "input [4] -> std axis=1",
    "layer_norm": "input [4] -> layer_norm",
    "group_norm": "input 4x4 -> group_norm 2",
}
OTHERS = ["input [4] -> rms_norm", "input [4] -> normalize", "input [4] -> norm axis=1", "input 4x4 -> instance_norm"]


def compute(text: str, scale: float = 1e19) -> tuple[np.ndarray, np.ndarray]:
    """What PyTorch and ONNX Runtime give for large numbers."""
    model = netc.compile(text)
    shape = (1, *(int(size) for size in next(iter(model.inputs.values())).shape[1:]))
    x = np.resize(np.float32([scale, -scale, 2 * scale, 0.0]), shape)
    with torch.no_grad():
        wanted = model.module().eval()(torch.from_numpy(x)).numpy()
    return wanted, np.asarray(model.session()(x))


@pytest.mark.parametrize("name", sorted(LISTED))
def test_what_is_listed_differs(name: str) -> None:
    wanted, given = compute(TEXTS[name], 1e19 if name in ("var", "std") else 1e20)
    assert not np.allclose(wanted, given, rtol=1e-3, equal_nan=True)
    assert any("1e19" in text for text in describe_differences(Operator.registry[name]))


@pytest.mark.parametrize("text", OTHERS)
def test_others_agree(text: str) -> None:
    wanted, given = compute(text)
    np.testing.assert_allclose(given, wanted, rtol=1e-3)
