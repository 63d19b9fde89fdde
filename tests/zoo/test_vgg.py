"""specs/vision/vgg.net against torchvision. Its dense layers are so large that CI compares the names and shapes only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, same_parameters, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

NAMES = ("vgg11", "vgg13", "vgg16", "vgg19", "vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn")


@pytest.mark.parametrize("name", NAMES)
def test_vgg_names(name: str) -> None:
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)(init_weights=False)
    same_parameters("vision/vgg.net", name, reference)


@pytest.mark.zoo
@pytest.mark.parametrize("name", NAMES)
def test_vgg(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/vgg.net", name, reference, images((1, 64, 64), (2, 64, 96)), tmp_path)
