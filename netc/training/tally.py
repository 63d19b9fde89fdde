"""Running totals and counts, from which the loss and metrics of many samples are computed.

>>> tally = Tally()
>>> tally.add_step([6.0], [2.0], 2)
>>> tally.add_step([1.0], [1.0], 1)
>>> tally.totals, tally.counts, tally.samples
([7.0], [3.0], 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor


class Tally:
    """Sums over samples: `totals` and `counts` in the order of the objective's means, empty before the first sample."""

    def __init__(self) -> None:
        self.totals: list[float] = []
        self.counts: list[float] = []
        self.samples = 0

    def add_step(self, totals: Sequence[float], counts: Sequence[float], samples: int) -> None:
        self.totals = [a + b for a, b in zip(self.totals, totals, strict=True)] if self.totals else list(totals)
        self.counts = [a + b for a, b in zip(self.counts, counts, strict=True)] if self.counts else list(counts)
        self.samples += samples

    def merge_tally(self, other: Tally) -> None:
        if other.totals:
            self.add_step(other.totals, other.counts, other.samples)

    def state_dict(self) -> dict[str, Any]:
        return {"totals": self.totals, "counts": self.counts, "samples": self.samples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.totals, self.counts = [float(v) for v in state["totals"]], [float(v) for v in state["counts"]]
        self.samples = int(state["samples"])


def to_numbers(values: Sequence[Tensor | float]) -> list[float]:
    """Convert scalar tensors to numbers; numbers stay as they are."""
    # Each copy from a GPU waits for it, so all tensors are copied together.
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors or tensors[0].device.type == "cpu":
        return [value.item() if isinstance(value, Tensor) else float(value) for value in values]
    copied = iter(torch.stack([tensor.detach().double() for tensor in tensors]).tolist())
    return [next(copied) if isinstance(value, Tensor) else float(value) for value in values]
