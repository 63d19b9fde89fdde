"""Attention is computed by one kernel, where PyTorch has one that takes its mask."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import netc
from tests.parity import agree

MASKED = """
q = input [2, T, 8]
mask = MASK
(q, q, q, mask) -> attention
"""
MASKS = {
    "for each head": "table (h, i, j) [2, 6, 6] float32 = -h * abs(i - j)",
    "for all": "table (i, j) [6, 6] float32 = -abs(i - j)",
    "with an axis for the batch": "table (n, h, i, j) [1, 2, 6, 6] float32 = -h * abs(i - j)",
}


class Dispatched(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.names: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.add(str(func))
        return func(*args, **(kwargs or {}))


@pytest.mark.parametrize("mask", MASKS)
def test_one_kernel(mask: str) -> None:
    model = netc.compile(MASKED.replace("MASK", MASKS[mask]).replace("T, 8", "6, 8"))
    module = model.module().eval()
    with Dispatched() as found, torch.no_grad():
        module(torch.randn(3, 2, 6, 8))
    assert any("flash" in name for name in found.names), found.names
    assert not any("softmax" in name for name in found.names)
    agree(model)


SPECS = Path(__file__).parents[2] / "specs"
SWIN = {"width": 32, "depths": [2, 2], "heads": [2, 4], "window": 7, "size": 56}


def test_windows_of_swin() -> None:
    """Shifted ones, whose mask is another for each window, too."""
    module = netc.compile_file(SPECS / "vision" / "swin.net", model="first", params=SWIN).module().eval()
    with Dispatched() as found, torch.no_grad():
        module(torch.randn(2, 3, 56, 56))
    assert any("flash" in name for name in found.names)
    assert not any("softmax" in name for name in found.names)
