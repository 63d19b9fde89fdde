"""The objective as modules: totals and counts of a batch in parts, loss and metrics of the whole.

In: a `Training`. Out: an `Objective`. Always: `objective(inputs)` is what the spec's section says of one batch; `totals` and `counts` of
parts add up to those of their union, and `results` of the sums are the loss and metrics of the union. `objective.model` has the spec's
keys.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from netc.compiler.analysis.means import Means, means_of
from netc.compiler.dims import Dim, SymDim, evaluate
from netc.compiler.ir.graph import Program
from netc.compiler.ir.training import LOSS, MODEL, Training
from netc.compiler.ir.types import BATCH

from ..model import Model, Weights


class Objective(nn.Module):
    """The model of a train section, with its loss and metrics. `model` is the module to be trained, under the keys of the spec.

    Called with the inputs by name, `[N, ...]` as declared, it gives the loss, a scalar, and the metrics by name. `names` are those of the
    results in order, the loss first.
    """

    def __init__(self, training: Training, means: Means | None = None, weights: Weights | None = None, seed: int | None = None) -> None:
        super().__init__()
        self.training_section = training
        self.means = means if means is not None else means_of(training)
        self.names = self.means.names
        self.inputs = {value.name: value.type for value in training.program.main.inputs}
        prefix = {f"{MODEL}.{name}": value for name, value in weights.items()} if isinstance(weights, Mapping) else None
        self.of_totals = Model(self.means.totals).module(weights=prefix, seed=seed if prefix is None else None)
        self.model: nn.Module = self.of_totals.get_submodule(MODEL) if hasattr(self.of_totals, MODEL) else nn.Module()
        self.of_counts = None if self.means.counted is None else Model(self.means.counted).module()
        self.of_means = None if self.means.finish is None else Model(self.means.finish).module()

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and the metrics of a batch."""
        results = self.results(self.totals(inputs), self.counts(inputs))
        return results[LOSS], {name: value for name, value in results.items() if name != LOSS}

    def totals(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """One sum for each mean of the objective, with a gradient."""
        made = _several(_called(self.of_totals, self.means.totals, inputs))
        if not any(self.means.scaled):
            return made
        samples = self._sizes(inputs)[BATCH]
        return [t * samples if scaled else t for t, scaled in zip(made, self.means.scaled, strict=True)]

    def counts(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """What each total is divided by; of data alone."""
        sizes = self._sizes(inputs)
        device = next(iter(inputs.values())).device
        with torch.no_grad():
            counted: list[Tensor] = []
            if self.of_counts is not None and self.means.counted is not None:
                counted = _several(_called(self.of_counts, self.means.counted, inputs))
        made: list[Tensor] = []
        for count, is_size in zip(self.means.counts, self.means.is_size, strict=True):
            size = torch.tensor(float(_size(count, sizes)), dtype=torch.float64, device=device) if is_size else None
            made.append(counted[int(count)].double() if size is None else size)  # type: ignore[arg-type]
        return made

    def results(self, totals: Sequence[Tensor], counts: Sequence[Tensor]) -> dict[str, Tensor]:
        """The loss and the metrics of totals and counts."""
        return self.of_quotients([total / count.to(total.dtype) for total, count in zip(totals, counts, strict=True)])

    def of_quotients(self, means: Sequence[Tensor]) -> dict[str, Tensor]:
        """The loss and the metrics of means."""
        made = list(means) if self.of_means is None else _several(self.of_means(*means))
        return dict(zip(self.names, made, strict=True))

    def _sizes(self, inputs: Mapping[str, Tensor]) -> dict[str, int]:
        """The symbolic dimensions, read off the tensors."""
        found: dict[str, int] = {}
        for name, type_ in self.inputs.items():
            for size, actual in zip(type_.shape, inputs[name].shape, strict=True):
                if isinstance(size, SymDim) and str(size).isidentifier():
                    found[str(size)] = actual
        return found


def _size(count: Dim, sizes: Mapping[str, int]) -> int:
    return count if isinstance(count, int) else int(evaluate(count, sizes))


def _called(module: nn.Module, program: Program, inputs: Mapping[str, Tensor]) -> Tensor | tuple[Tensor, ...]:
    made: Tensor | tuple[Tensor, ...] = module(*(inputs[value.name] for value in program.main.inputs))
    return made


def _several(made: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [made] if isinstance(made, Tensor) else list(made)
