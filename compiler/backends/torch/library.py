"""What emitted source defines for itself, where PyTorch has nothing for it.

The text of a definition is copied to the emitted file, if that uses it; netc does not import this module. Always: a definition needs
what an emitted file may import and nothing else, its lines fit there, and it is separated from the others by two empty lines.
"""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: in training, each sample is zero with probability `p`, and the others are
    scaled up to keep the mean.

    x: [N, ...] -> [N, ...].
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training:
            return x
        ones = x.new_ones(x.shape[0], *[1] * (x.dim() - 1))
        return x * F.dropout(ones, self.p)
