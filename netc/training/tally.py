"""Totals and counts of many samples, from which loss and metrics follow."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


class Tally:
    """Sums over samples: `totals` and `counts` as vectors in float64, None before the first sample."""

    def __init__(self) -> None:
        self.totals: Tensor | None = None
        self.counts: Tensor | None = None
        self.samples = 0

    def add(self, totals: Tensor, counts: Tensor, samples: int) -> None:
        self.totals = totals if self.totals is None else self.totals + totals
        self.counts = counts if self.counts is None else self.counts + counts
        self.samples += samples

    def merge(self, other: Tally) -> None:
        if other.totals is not None and other.counts is not None:
            self.add(other.totals, other.counts, other.samples)

    def state(self) -> dict[str, Any]:
        return {"totals": self.totals, "counts": self.counts, "samples": self.samples}

    def load(self, state: dict[str, Any], device: torch.device) -> None:
        kept: list[Tensor | None] = [state["totals"], state["counts"]]
        self.totals, self.counts = (None if t is None else t.to(device) for t in kept)
        self.samples = int(state["samples"])


def stacked(values: list[Tensor]) -> Tensor:
    """Numbers as one vector in float64, without a gradient."""
    return torch.stack([value.detach().double() for value in values])
