"""specs/vision/alexnet.net against torchvision. Its dense layers are so large that CI compares the names and shapes only."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import SPECS, check, images, settle

import netc

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

NAMES = ("alexnet",)


@pytest.mark.parametrize("name", NAMES)
def test_alexnet_names(name: str) -> None:
    with torch.device("meta"):
        reference = getattr(torchvision.models, name)()
    ours = netc.compile_file(SPECS / "vision/alexnet.net", model=name)
    assert {n: tuple(p.shape) for n, p in ours.parameters.items()} == {n: tuple(t.shape) for n, t in reference.state_dict().items()}


@pytest.mark.zoo
@pytest.mark.parametrize("name", NAMES)
def test_alexnet(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(getattr(torchvision.models, name)())
    check("vision/alexnet.net", name, reference, images((1, 64, 64), (2, 64, 96)), tmp_path)
