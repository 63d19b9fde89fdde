"""specs/vision/swin.net against torchvision: small configurations at sizes that the windows divide and do not, and the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, scatter, tables
from zoo.small import SMALL

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/swin.net"
SIZES = {"depths": [2, 2], "window_size": [4, 4], "num_heads": [2, 4], "embed_dim": 16, "patch_size": [4, 4], "num_classes": 10}
PARAMS = SMALL["swin"].params
SECOND = {
    "block": torchvision.models.swin_transformer.SwinTransformerBlockV2,
    "downsample_layer": torchvision.models.swin_transformer.PatchMergingV2,
}


@pytest.mark.parametrize("size", [64, 44])
def test_small_swin(size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = torchvision.models.SwinTransformer(**SIZES)
    params = {**PARAMS, "size": size}
    tables(SPEC, "first", reference, params=params)
    check(SPEC, "first", scatter(reference), images((1, size, size), (3, size, size)), tmp_path, params=params)


def test_small_swin_v2(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(torchvision.models.SwinTransformer(**SIZES, **SECOND))
    with torch.no_grad():
        for name, parameter in reference.named_parameters():
            if name.endswith("logit_scale"):
                parameter[0] = 6.0  # beyond what the reference takes, log(100)
    params = {**PARAMS, "size": 44}
    tables(SPEC, "second", reference, params=params)
    check(SPEC, "second", reference, images((1, 44, 44), (3, 44, 44)), tmp_path, params=params)


@pytest.mark.zoo
@pytest.mark.parametrize("name", ["swin_t", "swin_s", "swin_b"])
def test_published_swin(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    check(SPEC, name, scatter(getattr(torchvision.models, name)()), images((1, 224, 224), (2, 224, 224)), tmp_path)


@pytest.mark.zoo
@pytest.mark.parametrize("name", ["swin_v2_t", "swin_v2_s", "swin_v2_b"])
def test_published_swin_v2(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    check(SPEC, name, scatter(getattr(torchvision.models, name)()), images((1, 256, 256), (2, 256, 256)), tmp_path)
