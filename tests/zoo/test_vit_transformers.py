"""specs/vision/vit_transformers.net against transformers: a small configuration at two sizes of image, and the published ones."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import Inputs, check, images, scatter
from zoo.small import SMALL

transformers = pytest.importorskip("transformers", reason="the reference of this vision transformer is transformers")

SPEC = "vision/vit_transformers.net"
LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16, "intermediate_size": 4096}
HUGE = {"hidden_size": 1280, "num_hidden_layers": 32, "num_attention_heads": 16, "intermediate_size": 5120}
PUBLISHED = {
    "vit_base_16": {},
    "vit_base_32": {"patch_size": 32},
    "vit_large_16": LARGE,
    "vit_large_32": {**LARGE, "patch_size": 32},
    "vit_huge_14": {**HUGE, "patch_size": 14},
}


def logits(reference: torch.nn.Module, inputs: Inputs) -> object:
    return reference(pixel_values=inputs["input"]).logits


@pytest.mark.parametrize("size", [32, 48])
def test_small(size: int, tmp_path: Path) -> None:
    torch.manual_seed(0)
    sizes = {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 72}
    config = transformers.ViTConfig(**sizes, image_size=size, patch_size=8, num_labels=10)
    reference = scatter(transformers.ViTForImageClassification(config))
    params = {**SMALL["vit_transformers"].params, "size": size}
    check(SPEC, "network", reference, images((1, size, size), (3, size, size)), tmp_path, call=logits, params=params)


@pytest.mark.zoo
@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name: str, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = scatter(transformers.ViTForImageClassification(transformers.ViTConfig(**PUBLISHED[name], num_labels=1000)))
    check(SPEC, name, reference, images((1, 224, 224), (2, 224, 224)), tmp_path, call=logits)
