"""Rotary position embedding: definitions for the files of PyTorch."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn


class RotaryEmbedding(nn.Module):
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """

    inv_freq: Tensor

    def __init__(self, dims: int, base: float) -> None:
        super().__init__()
        self.dims = dims
        self.base = base
        self.register_buffer("inv_freq", torch.empty(dims // 2), persistent=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        # In float64 and on the CPU: the last bit of a power in float32 depends on the processor,
        # and at large positions it shows.
        steps = torch.arange(0, self.dims, 2, dtype=torch.float64, device="cpu")
        inv_freq = 1 / self.base ** (steps / self.dims)
        self.inv_freq = inv_freq.to(self.inv_freq.device, torch.float32)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        # What converts the model must not round the frequencies.
        super()._apply(fn, recurse)
        self.reset_parameters()
        return self

    def forward(self, positions: Tensor, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
        angles = positions[..., None] * self.inv_freq
        return angles.cos().to(dtype), angles.sin().to(dtype)


def apply_rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the pairs of features i and i + D/2 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


def apply_rotary_interleaved(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotates the pairs of features 2 i and 2 i + 1 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = x[..., ::2], x[..., 1::2]
    pairs = torch.stack((first * cos - second * sin, second * cos + first * sin), dim=-1)
    return pairs.flatten(-2)
