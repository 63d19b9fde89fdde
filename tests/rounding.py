"""How far rounding may take a model's results: what comes of it when every operator's result is off by one rounding.

A kernel that is right gives what exact arithmetic would give for arguments that are off by a few roundings (backward stability); two right
kernels differ by as much. So the model is run in float64 with its arguments and all that is computed of them moved by random roundings of
the narrower type. Where that moves its results far, as a normalization of nearly equal numbers does, another order of summation may move
them as far; where it does not, neither may ONNX Runtime.

In: a module and its arguments. Out: for each result, the distance it was moved. Always: the same for the same module and arguments.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map

RUNS = 3


class Rounded(TorchDispatchMode):
    """Whatever is computed in float64 is off by up to `step`, relative to its size."""

    def __init__(self, step: float, seed: int) -> None:
        super().__init__()
        self.step = step
        self.generator = torch.Generator().manual_seed(seed)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return tree_map(self._moved, func(*args, **(kwargs or {})))

    def _moved(self, value: Any) -> Any:
        if not isinstance(value, torch.Tensor) or value.dtype != torch.float64:
            return value
        return value * (1 + self.step * (2 * torch.rand(value.shape, dtype=value.dtype, generator=self.generator) - 1))


def distances(module: torch.nn.Module, arguments: Sequence[torch.Tensor]) -> list[float]:
    """For each result, the greatest distance between what float64 makes of it with roundings of float32 and without."""
    wide = deepcopy(module).double()
    fed = [x.double() if x.is_floating_point() else x for x in arguments]
    exact = results(wide, fed)
    found = [0.0] * len(exact)
    for seed in range(RUNS):
        with Rounded(torch.finfo(torch.float32).eps, seed):
            moved = results(wide, [1 * x if x.is_floating_point() else x for x in fed])
        found = [max(f, _distance(m, e)) for f, m, e in zip(found, moved, exact, strict=True)]
    return found


def results(module: torch.nn.Module, arguments: Sequence[torch.Tensor]) -> list[torch.Tensor]:
    with torch.no_grad():
        out = module(*arguments)
    return list(out) if isinstance(out, tuple) else [out]


def _distance(left: torch.Tensor, right: torch.Tensor) -> float:
    """What is infinite or no number in one of them is so for another reason than rounding."""
    return float((left.double() - right.double()).abs().nan_to_num(0.0, 0.0).max()) if left.numel() else 0.0
