"""Running totals and counts, from which the loss and metrics of many samples are computed.

>>> tally = Tally()
>>> tally.add_step("", [6.0], [2.0], 2)
>>> tally.add_step("", [1.0], [1.0], 1)
>>> tally.sums, tally.samples
({'': ([7.0], [3.0])}, 3)
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from .section_file import SectionFile


class Tally:
    """Sums over the steps of each loss.

    `sums` has the totals and the counts, in the order of the objective's means, by the loss that these steps minimize. If each step
    computes the whole model, all are under the name "", whatever they minimize. `samples` is the number of samples of all steps. A tally
    without a step has no sums.
    """

    def __init__(self) -> None:
        self.sums: dict[str, tuple[list[float], list[float]]] = {}
        self.samples = 0

    def add_step(self, loss: str, totals: Sequence[float], counts: Sequence[float], samples: int) -> None:
        """Add a step that minimizes this loss. A total that the step does not compute is 0, but its count is the count of the batch."""
        self._add_sums(loss, totals, counts)
        self.samples += samples

    def merge_tally(self, other: Tally) -> None:
        for loss, sums in other.sums.items():
            self._add_sums(loss, *sums)
        self.samples += other.samples

    def _add_sums(self, loss: str, totals: Sequence[float], counts: Sequence[float]) -> None:
        zeros = [0.0] * len(totals)
        known = self.sums.get(loss, (zeros, zeros))
        sums = [[a + b for a, b in zip(old, new, strict=True)] for old, new in zip(known, (totals, counts), strict=True)]
        self.sums[loss] = sums[0], sums[1]

    def compute_results(self, file: SectionFile, device: torch.device) -> dict[str, float]:
        """Compute the loss and metrics with the functions of a section's file, each over the steps that compute it. A result that no step
        computes is left out."""
        steps = [
            (loss, ([torch.tensor(total, dtype=torch.float64, device=device) for total in totals], counts))
            for loss, (totals, counts) in self.sums.items()
        ]
        is_divided = file.has_function("summarize_steps")
        results = file.summarize_steps(steps) if is_divided else file.compute_metrics(*steps[0][1])
        return {name: value.item() for name, value in results.items()}

    def state_dict(self) -> dict[str, Any]:
        return {"sums": {loss: list(sums) for loss, sums in self.sums.items()}, "samples": self.samples}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.sums = {
            str(loss): ([float(v) for v in totals], [float(v) for v in counts]) for loss, (totals, counts) in state["sums"].items()
        }
        self.samples = int(state["samples"])


def to_numbers(values: Sequence[Tensor | float]) -> list[float]:
    """Convert scalar tensors to numbers; numbers stay as they are."""
    # Each copy from a GPU waits for it, so all tensors are copied together.
    tensors = [value for value in values if isinstance(value, Tensor)]
    if not tensors or tensors[0].device.type == "cpu":
        return [value.item() if isinstance(value, Tensor) else float(value) for value in values]
    copied = iter(torch.stack([tensor.detach().double() for tensor in tensors]).tolist())
    return [next(copied) if isinstance(value, Tensor) else float(value) for value in values]
