"""specs/vision/dla.net against a reference written by hand, which timm's equals (no development dependency has these networks)."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.dla import DLA, SIZES
from zoo.parity import check, images, settle

pytestmark = pytest.mark.long

QUICK = ("dla34", "dla46x_c")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.zoo) for n in SIZES])
def test_dla(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    check("vision/dla.net", name, settle(DLA(SIZES[name])), images((1, 64, 64), (2, 96, 64)), tmp_path)
