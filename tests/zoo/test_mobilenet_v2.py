"""specs/vision/mobilenet_v2.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")


@pytest.mark.parametrize("scale", [1.0, pytest.param(0.35, marks=pytest.mark.zoo), pytest.param(1.4, marks=pytest.mark.zoo)])
def test_mobilenet_v2(scale: float, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.mobilenet_v2(width_mult=scale))
    check("vision/mobilenet_v2.net", None, reference, images((1, 64, 64), (2, 80, 96)), tmp_path, params={"scale": scale})
