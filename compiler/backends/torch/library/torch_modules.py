"""Layers and tensors with fixed numbers: definitions for the files of PyTorch."""

from __future__ import annotations

import base64
import zlib
from collections.abc import Callable

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn


class DropPath(nn.Module):
    """Stochastic depth: in training, each sample is zero with probability `p`, and the others are scaled up to keep
    the mean.

    x: [N, ...] -> [N, ...].
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0:
            return x
        ones = x.new_ones(x.shape[0], *[1] * (x.dim() - 1))
        return x * F.dropout(ones, self.p)


def unpacked(values: str, shape: tuple[int, ...], dtype: torch.dtype) -> Tensor:
    """A constant whose bytes are the text, compressed."""
    content = zlib.decompress(base64.b64decode(values))
    return torch.frombuffer(bytearray(content), dtype=dtype).reshape(shape)


class Constant(nn.Module):
    """A tensor that keeps its type: what converts the model moves it to another device, but does not round it. The
    state dict does not have it.
    """

    value: Tensor

    def __init__(self, value: Tensor) -> None:
        super().__init__()
        self.register_buffer("value", value, persistent=False)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        value = self.value
        super()._apply(fn, recurse)
        if self.value.dtype != value.dtype:
            self.value = value.to(self.value.device)
        return self
