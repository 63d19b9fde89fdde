"""specs/vision/resnet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

LONG = ("resnet18",)
NAMES = (
    *LONG,
    "resnet34",
    "resnet50",
    "resnet101",
    "resnet152",
    "resnext50_32x4d",
    "resnext101_32x8d",
    "resnext101_64x4d",
    "wide_resnet50_2",
    "wide_resnet101_2",
)


@pytest.mark.parametrize("name", [pytest.param(n, marks=pytest.mark.long if n in LONG else pytest.mark.zoo) for n in NAMES])
def test_resnet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/resnet.net", name, reference, images((1, 64, 64), (2, 80, 96)), tmp_path)
