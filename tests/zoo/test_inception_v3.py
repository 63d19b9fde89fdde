"""specs/vision/inception_v3.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")


def auxiliary(name: str) -> bool:
    """The reference runs its auxiliary classifier in training only."""
    return name.startswith("AuxLogits.")


@pytest.mark.zoo
def test_inception_v3(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.inception_v3(init_weights=True))
    check(
        "vision/inception_v3.net",
        None,
        reference,
        images((1, 80, 80), (2, 96, 112)),
        tmp_path,
        left_out=auxiliary,
    )
