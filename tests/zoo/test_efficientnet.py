"""specs/vision/efficientnet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

QUICK = ("efficientnet_b0",)
NAMES = (*QUICK, *(f"efficientnet_b{size}" for size in range(1, 8)), *(f"efficientnet_v2_{size}" for size in "sml"))


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.zoo) for n in NAMES])
def test_efficientnet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/efficientnet.net", name, reference, images((1, 64, 64), (2, 64, 96)), tmp_path)
