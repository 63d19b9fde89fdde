"""specs/vision/densenet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

QUICK = ("densenet121",)
NAMES = (*QUICK, "densenet161", "densenet169", "densenet201")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.zoo) for n in NAMES])
def test_densenet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/densenet.net", name, reference, images((1, 64, 64), (2, 64, 96)), tmp_path)
