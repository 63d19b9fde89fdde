"""specs/vision/maxvit.net against torchvision: a small configuration and the published one, the reference built for each size of image."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, scatter, settle, tables
from zoo.small import SMALL

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/maxvit.net"
SIZES = {"stem_channels": 8, "block_channels": [8, 16], "block_layers": [1, 2], "head_dim": 4, "partition_size": 3, "num_classes": 10}
PARAMS = SMALL["maxvit"].params


@pytest.mark.parametrize("size", [24, 48])
def test_small(size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.MaxVit(input_size=(size, size), stochastic_depth_prob=0.2, **SIZES)
    tables(SPEC, "network", reference, params=PARAMS)
    check(SPEC, "network", settle(scatter(reference)), images((1, size, size), (3, size, size)), tmp_path, params=PARAMS)


@pytest.mark.zoo
@pytest.mark.parametrize("size", [224, 448])
def test_published(size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.maxvit_t(input_size=(size, size))
    check(SPEC, "maxvit_t", settle(scatter(reference)), images((1, size, size), (2, size, size)), tmp_path)
