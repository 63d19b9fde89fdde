"""specs/vision/alexnet.net against torchvision. Its dense layers are so large that CI compares the names and shapes only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, same_parameters, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

NAMES = ("alexnet",)


@pytest.mark.parametrize("name", NAMES)
def test_alexnet_names(name: str) -> None:
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)()
    same_parameters("vision/alexnet.net", name, reference)


@pytest.mark.zoo
@pytest.mark.parametrize("name", NAMES)
def test_alexnet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/alexnet.net", name, reference, images((1, 64, 64), (2, 64, 96)), tmp_path)
