"""specs/vision/googlenet.net against torchvision."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from zoo.parity import check, images, in_training, settle

torchvision = pytest.importorskip("torchvision", reason="the reference of the zoo's images is torchvision")

SPEC = "vision/googlenet.net"


@pytest.mark.parametrize("aux", [False, True])
def test_googlenet(aux: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    reference = settle(torchvision.models.googlenet(aux_logits=aux, init_weights=True))
    check(SPEC, None, reference, images((1, 64, 64), (2, 80, 96)), tmp_path, params={"aux": aux})


def test_auxiliary_heads() -> None:
    torch.manual_seed(0)
    reference = torchvision.models.googlenet(init_weights=True, dropout=0.0, dropout_aux=0.0)
    in_training(SPEC, reference, images((2, 80, 96)), {"dropout": 0.0, "aux_dropout": 0.0}, results=3)
