"""Reductions, sums along an axis, order."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from tests.differential.references.call import Call


def along(a: Call) -> dict[str, Any]:
    """`dim` and `keepdim`, where they are given: not every function takes None for all axes."""
    return {} if a.axis is None and not a.keepdim else {"dim": a.axis, "keepdim": a.keepdim}


def every(a: Call, x: torch.Tensor) -> tuple[int, ...]:
    """The axes, for functions that must be given them."""
    return tuple(range(x.ndim)) if a.axis is None else tuple(a.axis)


def extreme(name: str, a: Call, x: torch.Tensor) -> Any:
    """Along one axis PyTorch gives the indices too; along several it has another function."""
    if a.axis is None or len(a.axis) != 1:
        return getattr(torch, f"a{name}")(x, every(a, x), a.keepdim)
    return getattr(torch, name)(x, a.axis[0], a.keepdim)


FUNCTIONS = {
    "all": lambda a, x: torch.all(x, **along(a)),
    "any": lambda a, x: torch.any(x, **along(a)),
    "argmax": lambda a, x: torch.argmax(x, a.axis, a.keepdim),
    "argmin": lambda a, x: torch.argmin(x, a.axis, a.keepdim),
    "logsumexp": lambda a, x: torch.logsumexp(x, every(a, x), a.keepdim),
    "max": lambda a, x: extreme("max", a, x),
    "mean": lambda a, x: torch.mean(x, **along(a)),
    "min": lambda a, x: extreme("min", a, x),
    "norm": lambda a, x: torch.linalg.vector_norm(x, a.p, a.axis, a.keepdim),
    "normalize": lambda a, x: F.normalize(x, a.p, a.axis, a.eps),
    "prod": lambda a, x: torch.prod(x, **along(a)),
    "std": lambda a, x: torch.std(x, dim=a.axis, correction=a.correction, keepdim=a.keepdim),
    "sum": lambda a, x: torch.sum(x, **along(a)),
    "var": lambda a, x: torch.var(x, dim=a.axis, correction=a.correction, keepdim=a.keepdim),
    "cumprod": lambda a, x: torch.cumprod(x, a.axis),
    "cumsum": lambda a, x: torch.cumsum(x, a.axis),
    "argsort": lambda a, x: torch.argsort(x, dim=a.axis, descending=a.descending, stable=a.stable),
    "sort": lambda a, x: torch.sort(x, dim=a.axis, descending=a.descending, stable=a.stable),
    "topk": lambda a, x: torch.topk(x, a.k, a.axis, a.largest, a.sorted),
}
