"""The network that the README says was imported is what is imported."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torchvision

import netc

README = Path(__file__).parents[2] / "README.md"


@pytest.mark.long
def test_resnet50() -> None:
    text = README.read_text(encoding="utf-8").partition("This is all of torchvision's ResNet-50")[2]
    shown = text.partition("```net\n")[2].partition("```")[0]
    module = torchvision.models.resnet50(weights=None)
    made = netc.from_torch(module, torch.randn(2, 3, 224, 224), verify=False)
    assert "\n".join(line for line in made.spec().splitlines() if not line.startswith("#")).strip() == shown.strip()
    assert made.parameters.keys() == module.state_dict().keys()
