"""specs/vision/vit.net against torchvision: a small configuration at two sizes of image, and the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, scatter
from zoo.small import SMALL

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/vit.net"
NAMES = ("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14")


@pytest.mark.long
@pytest.mark.parametrize("size", [32, 48])
def test_small(size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.VisionTransformer(
        image_size=size, patch_size=8, num_layers=2, num_heads=4, hidden_dim=32, mlp_dim=128, num_classes=10
    )
    params = {**SMALL["vit"].params, "size": size}
    check(SPEC, "network", scatter(reference), images((1, size, size), (3, size, size)), tmp_path, params=params)


@pytest.mark.zoo
@pytest.mark.parametrize("name", NAMES)
def test_published(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(getattr(torchvision.models, name)())
    check(SPEC, name, reference, images((1, 224, 224), (2, 224, 224)), tmp_path)
