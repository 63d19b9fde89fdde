"""Gradients with respect to tensors of the model: definitions for the files of PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import torch
from torch import Tensor


def require_gradient(x: Tensor) -> Tensor:
    """The tensor as one by which can be differentiated."""
    return x if x.requires_grad else x.detach().requires_grad_()


def differentiate(y: Tensor, tensors: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The gradients of the sum of a tensor that is itself a gradient. They are zero where it is constant, as the slope
    of a linear function is."""
    if not y.requires_grad:
        return tuple(torch.zeros_like(x) for x in tensors)
    return torch.autograd.grad(y.sum(), tensors, create_graph=True, materialize_grads=True)


def with_gradients(method: Callable[..., Tensor]) -> Callable[..., Tensor | tuple[Tensor, ...]]:
    """Let a method compute gradients within `torch.no_grad()`, too. Its results then have none."""

    @wraps(method)
    def compute(*arguments: Tensor) -> Tensor | tuple[Tensor, ...]:
        if torch.is_grad_enabled():
            return method(*arguments)
        with torch.enable_grad():
            results = method(*arguments)
        return results.detach() if isinstance(results, Tensor) else tuple(result.detach() for result in results)

    return compute
