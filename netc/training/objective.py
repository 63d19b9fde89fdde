"""The objective as modules: totals and counts of a batch in parts, loss and metrics of the whole.

In: a `Training`. Out: an `Objective`. Always: `objective(inputs)` is what the spec's section says of one batch; `totals` and `counts` of
parts add up to those of their union, and `results` of the sums are the loss and metrics of the union. `objective.model` has the spec's
keys.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from netc.compiler.analysis.means import Means, means_of
from netc.compiler.backends.base import BackendInput
from netc.compiler.backends.torch import BACKEND
from netc.compiler.dims import Dim, SymDim, evaluate
from netc.compiler.ir.graph import Program
from netc.compiler.ir.training import LOSS, MODEL, Training
from netc.compiler.ir.types import BATCH

from ..argument_types import checks_arguments
from ..backend_input import Weights, backend_input, reported
from ..errors import CompileError
from .counting import count_labels, ignored_labels
from .optimizers import Schedule, make_optimizer, make_schedule
from .recipe import Recipe, read_recipe
from .session import check_section


class Objective(nn.Module):
    """The model of a train section, with its loss and metrics, and what trains it.

    Called with the inputs by name, `[N, ...]` as declared, it gives the loss, a tensor without axes, and a dict of the metrics, likewise.
    `model` is the module to be trained, under the keys of the spec. `inputs` are the types of the inputs, `names` the results in order, the
    loss first; `recipe` has the settings of the section: `batch`, `epochs`, `accumulate`, `clip_norm`, ...
    """

    def __init__(
        self,
        training: Training,
        means: Means | None = None,
        weights: Weights | None = None,
        seed: int | None = None,
        recipe: Recipe | None = None,
    ) -> None:
        super().__init__()
        self.training_section = training
        self.means = means if means is not None else means_of(training)
        self.recipe = recipe if recipe is not None else read_recipe(training)[0]
        self.names = self.means.names
        self.inputs = {value.name: value.type for value in training.program.main.inputs}
        self._symbols = {
            str(size): (name, axis)
            for name, type_ in self.inputs.items()
            for axis, size in enumerate(type_.shape)
            if isinstance(size, SymDim) and str(size).isidentifier()
        }
        self.of_totals = BACKEND.module(_within(training, self.means.totals, weights, seed))
        self.model: nn.Module = self.of_totals.get_submodule(MODEL) if hasattr(self.of_totals, MODEL) else nn.Module()
        self.of_counts = None if self.means.counted is None else _module(self.means.counted)
        self.ignored = ignored_labels(self.means.counted)
        """What is counted, if that is labels: all of them if `counts_all`, which is known of the data."""
        self.counts_all = False
        self._is_sum, self._has_sums = self.means.is_sum, any(self.means.is_sum)
        self._has_scaled, self._has_sizes = any(self.means.scaled), any(self.means.is_size)
        self._of_totals, self._of_counts = _names_of(self.means.totals), _names_of(self.means.counted)
        # Small models notice what a call of a module costs.
        self._total: Callable[..., Any] = self.of_totals.forward
        self._count = None if self.of_counts is None else self.of_counts.forward
        self.of_means = None if self.means.finish is None else _module(self.means.finish)

    def compute_by(self, module: nn.Module) -> None:
        """Another module computes the totals, as one that does it on several processes."""
        self.of_totals, self._total = module, module.__call__

    def optimizer(self) -> torch.optim.Optimizer:
        """A new optimizer of the section over the parameters of `model`, in groups; frozen ones no longer require gradients."""
        return make_optimizer(self.model, self.recipe)

    @checks_arguments
    def schedule(self, optimizer: torch.optim.Optimizer, steps: int) -> Schedule | None:
        """The scheduler of the section for a training of that many steps, stepped after each of them; None for a constant learning rate."""
        return make_schedule(optimizer, self.recipe, _positive(steps, "steps"))

    def source(self) -> str:
        """The section as a file that needs torch and NumPy alone, which is what `netc compile --target train` writes."""
        from .source import train_source

        return train_source(self.training_section)

    def clip(self) -> None:
        """Clips the gradients of `model` as the section says; nothing if it says nothing. Called between `backward` and the optimizer."""
        if self.recipe.clip_value is not None:
            nn.utils.clip_grad_value_(self.model.parameters(), self.recipe.clip_value)
        if self.recipe.clip_norm is not None:
            nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip_norm)

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """The loss and the metrics of a batch. Inputs of other names are left alone; a missing one is a `ValueError`."""
        self._check(inputs)
        results = self.results(self.totals(inputs), self.counts(inputs))
        return results[LOSS], {name: value for name, value in results.items() if name != LOSS}

    def totals(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """One sum for each mean of the objective, with a gradient."""
        made = _several(self._total(*[inputs[name] for name in self._of_totals]))
        if not self._has_scaled:
            return made
        samples = self._sizes(inputs)[BATCH]
        return [t * samples if scaled else t for t, scaled in zip(made, self.means.scaled, strict=True)]

    def counts(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """What each total is divided by; of data alone. Nothing waits for the device."""
        device = next(iter(inputs.values())).device
        with torch.no_grad():
            found = self._counts(inputs)
        return [c.double() if isinstance(c, Tensor) else torch.tensor(c, dtype=torch.float64, device=device) for c in found]

    def count_values(self, inputs: Mapping[str, Tensor]) -> list[float]:
        """The same as numbers."""
        counted = self._counted_values(inputs)
        if not self._has_sizes:
            return [counted[index] for index in self.means.counts]  # type: ignore[index]
        sizes = self._sizes(inputs)
        pairs = zip(self.means.counts, self.means.is_size, strict=True)
        return [float(_size(count, sizes)) if is_size else counted[int(count)] for count, is_size in pairs]  # type: ignore[arg-type]

    def _counted_values(self, inputs: Mapping[str, Tensor]) -> list[float]:
        """What is counted, by NumPy where it can, and without a look at the labels if none is ignored."""
        if self.ignored is not None and self.counts_all:
            return [float(inputs[name].numel()) for name, _ in self.ignored]
        if self.ignored is not None and all(inputs[name].device.type == "cpu" for name, _ in self.ignored):
            return [count_labels(inputs[name], ignored) for name, ignored in self.ignored]
        return [c.item() for c in self._counted(inputs)]

    def _counts(self, inputs: Mapping[str, Tensor]) -> list[Tensor | float]:
        counted = self._counted(inputs)
        sizes = self._sizes(inputs) if self._has_sizes else {}
        pairs = zip(self.means.counts, self.means.is_size, strict=True)
        return [float(_size(count, sizes)) if is_size else counted[int(count)] for count, is_size in pairs]  # type: ignore[arg-type]

    def _counted(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        return [] if self._count is None else _several(self._count(*[inputs[name] for name in self._of_counts]))

    def results(self, totals: Sequence[Tensor], counts: Sequence[Tensor]) -> dict[str, Tensor]:
        """The loss and the metrics of totals and counts."""
        return self.of_quotients(self.quotients(totals, counts))

    def quotients(self, totals: Sequence[Tensor], counts: Sequence[Tensor]) -> list[Tensor]:
        """Each total divided by its count; sums stay as they are."""
        return [t if is_sum else t / c.to(t.dtype) for t, c, is_sum in zip(totals, counts, self._is_sum, strict=True)]

    def divisors(self, counts: Sequence[float]) -> list[float]:
        """What the totals of a batch are divided by: their counts, and 1 for sums."""
        if not self._has_sums:
            return list(counts)
        return [1.0 if is_sum else count for count, is_sum in zip(counts, self._is_sum, strict=True)]

    def part_terms(self, totals: Sequence[Tensor], divisors: Sequence[float]) -> list[Tensor]:
        """The summand of one part in each mean of the whole batch, for the divisors of the batch. Terms that are the same for all samples
        are not divided: each part has all of them."""
        pairs = zip(totals, divisors, self.means.constant, strict=True)
        return [t if constant else t / torch.tensor(c, dtype=t.dtype) for t, c, constant in pairs]

    def loss_of_part(self, terms: Sequence[Tensor], parts: int) -> Tensor:
        """The summand of one of several `parts` in the loss. A term that is the same for all samples counts with 1/`parts` in each."""
        loss = self.of_quotients(terms)[LOSS]
        if parts == 1 or self.of_means is None:
            return loss
        same = [t if constant else torch.zeros_like(t) for t, constant in zip(terms, self.means.constant, strict=True)]
        return loss - self.of_quotients(same)[LOSS] * (1 - 1 / parts)

    def of_quotients(self, means: Sequence[Tensor]) -> dict[str, Tensor]:
        """The loss and the metrics of means."""
        made = list(means) if self.of_means is None else _several(self.of_means(*means))
        return dict(zip(self.names, made, strict=True))

    def _check(self, inputs: Mapping[str, Tensor]) -> None:
        if not isinstance(inputs, Mapping):
            raise TypeError(f"the objective takes a mapping of names to tensors, not {type(inputs).__name__}")
        for name, type_ in self.inputs.items():
            if name not in inputs:
                raise ValueError(f"the input `{name}` is missing: the objective takes {', '.join(self.inputs)}")
            found = inputs[name]
            if not isinstance(found, Tensor):
                raise TypeError(f"the input `{name}` must be a tensor, not {type(found).__name__}")
            if found.ndim != type_.rank:
                raise ValueError(f"the input `{name}` must be {type_}, found {list(found.shape)}")

    def _sizes(self, inputs: Mapping[str, Tensor]) -> dict[str, int]:
        """The symbolic dimensions, read off the tensors."""
        return {size: inputs[name].shape[axis] for size, (name, axis) in self._symbols.items()}


def objective_of(training: Training, weights: Weights | None = None, seed: int | None = None) -> Objective:
    """The objective of a section. Raises `CompileError` for settings that are wrong, or a loss that is no function of means; `WeightsError`
    for weights that do not fit."""
    problems = check_section(training)
    if any(p.severity == "error" for p in problems):
        raise CompileError(tuple(problems))
    return Objective(training, None, weights, seed)


def _within(training: Training, program: Program, weights: Weights | None, seed: int | None) -> BackendInput:
    """A program that calls the model, with the model's weights: those that the model alone has, so that a seed gives both the same ones."""
    whole = training.program
    model = Program(training.call.graph, whole.facts, whole.symbols, whole.conditions, whole.dims)
    own = backend_input(model, weights, seed)
    if own.weights is None:
        return BackendInput(program, program.main.name)
    with reported(own):
        arrays = {f"{MODEL}.{name}": array for name, array in own.arrays().items()}
    return BackendInput(program, program.main.name, weights=lambda: arrays)


def _module(program: Program) -> nn.Module:
    return BACKEND.module(BackendInput(program, program.main.name))


def _positive(value: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be an integer, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{what} must be at least 1, not {value}")
    return value


def _size(count: Dim, sizes: Mapping[str, int]) -> int:
    return count if isinstance(count, int) else int(evaluate(count, sizes))


def _names_of(program: Program | None) -> list[str]:
    return [] if program is None else [value.name for value in program.main.inputs]


def _several(made: Tensor | tuple[Tensor, ...]) -> list[Tensor]:
    return [made] if isinstance(made, Tensor) else list(made)
