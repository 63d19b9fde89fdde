"""specs/vision/segmentation.net against torchvision, at sizes of image that strides divide and do not."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/segmentation.net"
RESNETS = ("fcn_resnet50", "fcn_resnet101", "deeplabv3_resnet50", "deeplabv3_resnet101")


def built(name: str, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    return settle(getattr(torchvision.models.segmentation, name)(weights=None, weights_backbone=None, **options))


def results(reference: torch.nn.Module, inputs: Inputs) -> object:
    return tuple(reference(inputs["input"]).values())


def test_lraspp(tmp_path: Path) -> None:
    name = "lraspp_mobilenet_v3_large"
    check(SPEC, name, built(name), images((1, 64, 64), (2, 75, 90)), tmp_path, call=results)


@pytest.mark.zoo
@pytest.mark.parametrize("aux", [False, True])
@pytest.mark.parametrize("name", RESNETS)
def test_resnets(name: str, aux: bool, tmp_path: Path) -> None:
    reference = built(name, aux_loss=aux)
    check(SPEC, name, reference, images((1, 64, 64), (2, 75, 90)), tmp_path, call=results, params={"aux": aux})
