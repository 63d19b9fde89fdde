"""specs/vision/googlenet.net against torchvision.

The auxiliary classifiers are left out: the reference runs them in training only, and its checkpoints are loaded for inference without.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")


def test_googlenet(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.googlenet(init_weights=False))
    check(
        "vision/googlenet.net",
        None,
        reference,
        images((1, 64, 64), (2, 80, 96)),
        tmp_path,
        left_out=lambda name: name.startswith(("aux1.", "aux2.")),
    )
