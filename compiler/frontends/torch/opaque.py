"""Modules that are one operator of netc, and whose own code hides that.

In: a module that is about to be exported. Out: while it is, such modules call one operator of torch.library. Always: they are as before
afterwards, and the operator gives what they give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import nn

NAMESPACE = "netc_import"


def _drop_path(module: nn.Module) -> float | None:
    """The probability with which a module leaves out samples; None for other modules."""
    if type(module).__name__ not in ("DropPath", "StochasticDepth") or getattr(module, "mode", "row") != "row":
        return None
    p = next((getattr(module, name) for name in ("drop_prob", "p") if hasattr(module, name)), None)
    return float(p) if p else None


@torch.library.custom_op(f"{NAMESPACE}::drop_path", mutates_args=())
def drop_path(x: torch.Tensor, p: float) -> torch.Tensor:
    """Stochastic depth in evaluation: nothing."""
    return x.clone()


@drop_path.register_fake
def _(x: torch.Tensor, p: float) -> torch.Tensor:
    return torch.empty_like(x)


def _forward_of(module: nn.Module) -> Callable[..., Any] | None:
    p = _drop_path(module)
    if p is not None:
        return lambda x, *_: drop_path(x, p)
    return None


@contextmanager
def opaque_modules(model: nn.Module) -> Iterator[None]:
    """Replaces what such modules do by one operator each."""
    replaced: list[nn.Module] = []
    fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        for module in model.modules():
            forward = _forward_of(module)
            if forward is not None and "forward" not in vars(module):
                module.forward = forward
                replaced.append(module)
        yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fast)
        for module in replaced:
            del module.forward
