"""The peer of export.py: an MLP with the number of layers of the first argument, built in PyTorch, exported to the second."""

from __future__ import annotations

import sys

import torch
from torch import nn


def main(layers: int, path: str) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(*(stage for _ in range(layers) for stage in (nn.Linear(64, 64), nn.ReLU()))).eval()
    batch = torch.export.Dim("N")
    torch.onnx.export(model, (torch.randn(2, 64),), path, dynamo=True, dynamic_shapes=({0: batch},), verbose=False)


main(int(sys.argv[1]), sys.argv[2])
