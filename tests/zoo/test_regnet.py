"""specs/vision/regnet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/regnet.net"
QUICK = ("regnet_y_400mf",)
NAMES = (
    *QUICK,
    *(f"regnet_x_{size}" for size in ("400mf", "800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf")),
    *(f"regnet_y_{size}" for size in ("800mf", "1_6gf", "3_2gf", "8gf", "16gf", "32gf", "128gf")),
)


@pytest.mark.parametrize("name", [n if n in QUICK else pytest.param(n, marks=pytest.mark.zoo) for n in NAMES])
def test_regnet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check(SPEC, name, reference, images((1, 64, 64), (2, 64, 96)), tmp_path)
