"""Small PyTorch modules, written in a line."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class Of(nn.Module):
    """A module of a function, and of modules by name."""

    def __init__(self, function: Any, **modules: nn.Module) -> None:
        super().__init__()
        self.function = function
        for name, module in modules.items():
            setattr(self, name, module)

    def forward(self, *inputs: Tensor) -> Any:
        return self.function(self, *inputs)


def batches(*shape: int, sizes: tuple[int, ...] = (2, 3, 1)) -> list[Tensor]:
    """One tensor for each size of the batch, with large means."""
    return [torch.randn(n, *shape) * 3 + 2 for n in sizes]
