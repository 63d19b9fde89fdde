"""Normalizations, as PyTorch's modules."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

from tests.differential.references.call import Call, ranked
from tests.differential.references.layers import biased


def without_bias(a: Call, given: Sequence[torch.Tensor] = ()) -> dict[str, Any]:
    """Not every version of PyTorch takes `bias=` here; none needs it to be true."""
    return {} if biased(a, given) else {"bias": False}


def tracked(module: type[nn.Module], a: Call, x: torch.Tensor, *given: torch.Tensor) -> Any:
    """Those that may keep statistics."""
    momentum = None if a.momentum == "none" else a.momentum
    made = module(x.shape[1], a.eps, momentum, a.affine, a.track_running_stats, dtype=x.dtype, **without_bias(a, given))
    return a.layer(made, *given)(x)


def batch_norm(a: Call, x: torch.Tensor, *given: torch.Tensor) -> Any:
    return tracked(nn.BatchNorm1d if x.ndim == 2 else ranked(nn, "BatchNorm", x), a, x, *given)


def group_norm(a: Call, x: torch.Tensor, *given: torch.Tensor) -> Any:
    return a.layer(nn.GroupNorm(a.groups, x.shape[1], a.eps, a.affine, dtype=x.dtype, **without_bias(a, given)), *given)(x)


def last_axes(a: Call, x: torch.Tensor) -> Any:
    """PyTorch must be given their sizes; the last axis alone is what people mean without."""
    return x.shape[-1] if a.shape is None else a.shape


FUNCTIONS = {
    "batch_norm": batch_norm,
    "group_norm": group_norm,
    "instance_norm": lambda a, x, *ws: tracked(ranked(nn, "InstanceNorm", x), a, x, *ws),
    "layer_norm": lambda a, x, *ws: a.layer(nn.LayerNorm(last_axes(a, x), a.eps, a.affine, biased(a, ws), dtype=x.dtype), *ws)(x),
    "local_response_norm": lambda a, x: nn.LocalResponseNorm(a.size, a.alpha, a.beta, a.k)(x),
    "rms_norm": lambda a, x, *ws: a.layer(nn.RMSNorm(last_axes(a, x), a.eps, a.affine, dtype=x.dtype), *ws)(x),
}
