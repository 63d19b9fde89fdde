"""specs/vision/convnext.net against torchvision: a small configuration, and the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, scatter
from zoo.small import SMALL

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/convnext.net"
NAMES = ("convnext_tiny", "convnext_small", "convnext_base", "convnext_large")


def test_small(tmp_path: Path) -> None:
    torch.manual_seed(0)
    config = torchvision.models.convnext.CNBlockConfig
    setting = [config(8, 16, 1), config(16, 24, 2), config(24, None, 1)]
    reference = scatter(torchvision.models.ConvNeXt(setting, num_classes=10))
    check(SPEC, "network", reference, images((1, 32, 32), (3, 48, 64)), tmp_path, params=SMALL["convnext"].params)


@pytest.mark.zoo
@pytest.mark.parametrize("name", NAMES)
def test_published(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(getattr(torchvision.models, name)())
    check(SPEC, name, reference, images((1, 64, 64), (2, 96, 80)), tmp_path)
