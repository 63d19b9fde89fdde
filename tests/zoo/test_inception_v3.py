"""specs/vision/inception_v3.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, in_training, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/inception_v3.net"


@pytest.mark.zoo
@pytest.mark.parametrize("aux", [False, True])
def test_inception_v3(aux: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.inception_v3(aux_logits=aux, init_weights=True))
    check(SPEC, None, reference, images((1, 80, 80), (2, 96, 112)), tmp_path, params={"aux": aux})


@pytest.mark.zoo
def test_auxiliary_head() -> None:
    torch.manual_seed(0)
    reference = torchvision.models.inception_v3(init_weights=True, dropout=0.0)
    in_training(SPEC, reference, images((2, 299, 310)), {"dropout": 0.0}, results=2)
