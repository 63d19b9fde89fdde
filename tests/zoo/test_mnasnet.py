"""specs/vision/mnasnet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

QUICK = ("mnasnet0_5",)
NAMES = (*QUICK, "mnasnet0_75", "mnasnet1_0", "mnasnet1_3")


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.zoo) for n in NAMES])
def test_mnasnet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/mnasnet.net", name, reference, images((1, 64, 64), (2, 80, 96)), tmp_path)
