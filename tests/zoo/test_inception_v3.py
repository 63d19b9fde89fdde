"""specs/vision/inception_v3.net against torchvision.

The auxiliary classifier is left out: the reference runs it in training only, and its checkpoints are loaded for inference without.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")


@pytest.mark.zoo
def test_inception_v3(tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.inception_v3(init_weights=False))
    check(
        "vision/inception_v3.net",
        None,
        reference,
        images((1, 80, 80), (2, 96, 112)),
        tmp_path,
        left_out=lambda name: name.startswith("AuxLogits."),
    )
