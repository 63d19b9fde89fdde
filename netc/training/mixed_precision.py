"""Mixed precision by torch.amp: operators compute in a 16-bit type; parameters and sums stay float32.

In: `fp32`, `bf16` or `fp16`. Out: a `Precision`. Always: with `fp16` the loss is scaled, and a step whose gradient overflows is skipped.

    >>> product = Precision("bf16", torch.device("cpu")).wrap_forward(torch.matmul)
    >>> product(torch.zeros(2, 3), torch.zeros(3, 4)).dtype
    torch.bfloat16
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeVar, cast

import torch
from torch import Tensor

F = TypeVar("F", bound=Callable[..., Any])
_TYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


class Precision:
    """Wraps the forward pass, the backward pass and the update of a step."""

    def __init__(self, name: str, device: torch.device) -> None:
        self.type = _TYPES.get(name)
        self.device = device
        self._factor = math.nan, torch.empty(0)
        self.scaler = torch.amp.GradScaler(device.type) if name == "fp16" else None

    def wrap_forward(self, function: F) -> F:
        """Wrap a function so that it computes in this precision."""
        return function if self.type is None else cast(F, torch.autocast(self.device.type, self.type)(function))

    def run_backward(self, total: Tensor, factor: float) -> None:
        """Add the gradient of `total * factor`."""
        total = total if total.dtype.itemsize > 2 else total.float()  # the scaled factor is too large for float16
        if factor != self._factor[0]:  # kept, because the factor rarely changes, and making a tensor on a GPU takes time
            self._factor = factor, torch.tensor(factor, dtype=total.dtype, device=total.device)
        weight = self._factor[1]
        total.backward(weight if self.scaler is None else self.scaler.scale(weight))  # type: ignore[no-untyped-call]

    def unscale_gradients(self, optimizer: torch.optim.Optimizer) -> None:
        """Divide the gradients by the scale of the loss, before they are clipped."""
        if self.scaler is not None:
            self.scaler.unscale_(optimizer)

    def step_optimizer(self, optimizer: torch.optim.Optimizer) -> None:
        """Make the optimizer's step; skip it if a gradient overflowed."""
        if self.scaler is None:
            optimizer.step()
            return
        self.scaler.step(optimizer)
        self.scaler.update()

    def state_dict(self) -> dict[str, Any] | None:
        return None if self.scaler is None else self.scaler.state_dict()

    def load_state_dict(self, state: dict[str, Any] | None) -> None:
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)
