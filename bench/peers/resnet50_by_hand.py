"""The peer of export.py: torchvision's ResNet-50 with the weights of the first argument, exported to the second; after the word `weights`,
drawn weights are written there."""

from __future__ import annotations

import sys

import torch
from safetensors.torch import load_file, save_file
from torchvision.models import resnet50


def main(weights: str, path: str) -> None:
    torch.manual_seed(0)
    model = resnet50()
    if weights == "weights":
        save_file(model.state_dict(), path)
        return
    model.load_state_dict(load_file(weights))
    batch = torch.export.Dim("N")
    torch.onnx.export(model.eval(), (torch.randn(2, 3, 224, 224),), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)


main(sys.argv[1], sys.argv[2])
