"""Pools, resampling, folding, and dropout by channels or samples: what works on `[N, C, ...]`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.differential.references.call import Call, ranked


def max_pool(a: Call, x: torch.Tensor) -> Any:
    """With the indices: without, PyTorch has another kernel for one axis, which takes no integers."""
    return ranked(F, "max_pool", x)(x, a.kernel, a.stride, a.padding, a.dilation, a.ceil_mode, return_indices=True)


def avg_pool(a: Call, x: torch.Tensor) -> torch.Tensor:
    divisor = {} if a.divisor_override is None else {"divisor_override": a.divisor_override}
    return ranked(F, "avg_pool", x)(x, a.kernel, a.stride, a.padding, a.ceil_mode, a.count_include_pad, **divisor)


def lp_pool(a: Call, x: torch.Tensor) -> torch.Tensor:
    """A norm is a real number: of integers too, an integral power given as `float` makes floats."""
    return ranked(F, "lp_pool", x)(x, float(a.p), alone(a.kernel), alone(a.stride), a.ceil_mode)


def alone(values: Any) -> Any:
    """A list of one is for all axes."""
    return values[0] if isinstance(values, tuple) and len(values) == 1 else values


def drop_path(a: Call, x: torch.Tensor) -> torch.Tensor:
    from torchvision.ops import stochastic_depth  # imports PyTorch's compilers, which takes as long as PyTorch itself

    return stochastic_depth(x, a.p, "row", a.training)


def upsample(a: Call, x: torch.Tensor) -> torch.Tensor:
    return F.interpolate(
        x,
        alone(a.size),
        alone(a.scale),
        a.mode,
        a.align_corners,
        a.recompute_scale_factor or None,
        a.antialias,
    )


FUNCTIONS = {
    "max_pool": max_pool,
    "avg_pool": avg_pool,
    "lp_pool": lp_pool,
    "adaptive_avg_pool": lambda a, x: ranked(F, "adaptive_avg_pool", x)(x, a.size),
    "adaptive_max_pool": lambda a, x: ranked(F, "adaptive_max_pool", x)(x, a.size, return_indices=True),
    "global_avg_pool": lambda a, x: ranked(F, "adaptive_avg_pool", x)(x, 1).flatten(1),
    # PyTorch's adaptive pool takes no integers, its reduction does.
    "global_max_pool": lambda a, x: torch.amax(x, tuple(range(2, x.ndim))),
    "upsample": upsample,
    "grid_sample": lambda a, x, grid: F.grid_sample(x, grid, a.mode, a.padding_mode, a.align_corners),
    "channel_shuffle": lambda a, x: F.channel_shuffle(x, a.groups),
    "fold": lambda a, x: F.fold(x, alone(a.output_size), a.kernel, a.dilation, a.padding, a.stride),
    "pixel_shuffle": lambda a, x: F.pixel_shuffle(x, a.r),
    "pixel_unshuffle": lambda a, x: F.pixel_unshuffle(x, a.r),
    "unfold": lambda a, x: F.unfold(x, a.kernel, a.dilation, a.padding, a.stride),
    "channel_dropout": lambda a, x: a.layer(ranked(nn, "Dropout", x)(a.p))(x),
    "drop_path": drop_path,
}
