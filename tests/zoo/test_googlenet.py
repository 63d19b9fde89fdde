"""specs/vision/googlenet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

pytestmark = pytest.mark.long

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")


def auxiliary(name: str) -> bool:
    """The reference runs its auxiliary classifiers in training only, and drops them where its checkpoint is loaded for inference."""
    return name.startswith(("aux1.", "aux2."))


def test_googlenet(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.googlenet(init_weights=True))
    check(
        "vision/googlenet.net",
        None,
        reference,
        images((1, 64, 64), (2, 80, 96)),
        tmp_path,
        left_out=auxiliary,
    )
