"""What emitted source defines for itself, where PyTorch has nothing for it.

The text of a definition is copied to the emitted file, if that uses it; netc does not import this module. Always: a definition needs
what an emitted file may import and nothing else, its lines fit there, and it is separated from the others by two empty lines.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
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


class RotaryEmbedding(nn.Module):
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features
    grows by `base ** (-2 i / dims)` from one position to the next. They are computed in float32
    and given as `dtype`.

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


class Constant(nn.Module):
    """A tensor that keeps its type: what converts the model moves it to another device, but does
    not round it. The state dict does not have it.
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


def grouped_linear(x: Tensor, index: Tensor, weight: Tensor) -> Tensor:
    """Multiplies each row by the matrix of its group.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    y = x.new_zeros(*x.shape[:-1], weight.shape[1])
    for group, matrix in enumerate(weight):
        rows = index == group
        y[rows] = F.linear(x[rows], matrix).to(y.dtype)
    return y
