"""Collect the outputs of the model during a validation, and compute the measures of the section from all of them.

In: the model, the micro-batches of a validation, and the `measure` settings. Out: the measures by name, equal in all processes. Always: a
measure sees all validation samples of all processes at once, so it depends on neither the batches nor the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from .batches import MicroBatch
from .data.data_source import Array
from .measure_rules import MeasureRule
from .ranks import Ranks


class OutputRecorder(nn.Module):
    """The model in a validation: computes the same, and keeps the outputs that the measures need."""

    def __init__(self, module: nn.Module, rules: Sequence[MeasureRule]) -> None:
        super().__init__()
        self.module, self.rules = module, rules
        self.recorded: dict[str, list[tuple[Array, Array]]] = {rule.name: [] for rule in rules}
        self.micro_batch: MicroBatch = {}
        """The micro-batch that is computed next, which has the targets."""

    def forward(self, *inputs: Any) -> Any:
        results = self.module(*inputs)
        outputs = (results,) if isinstance(results, Tensor) else tuple(results)
        for rule in self.rules:
            truth = self.micro_batch[rule.output.target]
            self.recorded[rule.name].append((_to_array(truth), _to_array(outputs[rule.position])))
        return results

    def compute_measures(self, ranks: Ranks) -> dict[str, float]:
        """Compute the measures of the samples of all processes."""
        from ..evaluation.compute_measures import compute_measure

        measures: dict[str, float] = {}
        for rule in self.rules:
            # Processes that share a layer have the same samples, and count once.
            local = self.recorded[rule.name] if ranks.rank % ranks.tensor == 0 else []
            parts = [part for parts in ranks.all_gather(local) for part in parts]
            truth, outputs = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
            measures[rule.name] = compute_measure(rule, truth, outputs)
        return measures


def _to_array(tensor: Tensor) -> Array:
    full = tensor.full_tensor() if isinstance(tensor, DTensor) else tensor
    # PyTorch converts no bfloat16 to NumPy
    array: Array = (full.double() if full.is_floating_point() else full).cpu().numpy()
    return array
