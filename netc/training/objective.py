"""The objective as a module: totals and counts of micro-batches, loss and metrics of the whole batch.

In: a `Training`. Out: an `Objective`. Always: it computes with the functions of the section's file, which `netc compile --target train`
prints. `objective(inputs)` computes the section for one batch. The `totals` and `counts` of micro-batches add up to the totals and counts
of the whole batch, and `results` of the sums are its loss and metrics. `objective.model` has the spec's keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from netc.compiler.backends.backend import BackendInput
from netc.compiler.backends.torch import BACKEND
from netc.compiler.ir.training_program import Training
from netc.compiler.objectives.means import MeanDecomposition, decompose_objective

from ..errors import CompileError, raise_as_compile_error
from ..inputs.argument_types import check_arguments
from ..inputs.backend_input import Weights, make_backend_input, warn_about_weights
from ..inputs.checkpoint import allow_missing_also, to_checkpoint
from .optimizers import Schedule, make_schedule
from .recipe import Recipe, read_recipe
from .section_file import SectionFile
from .share_tensors import are_shared, share_tensors
from .source import (
    TrainSection,
    emit_run_file,
    emit_settings_file,
    emit_training_file,
    may_draw_numbers,
)
from .source.clauses import Machine
from .source.file_assembly import extract_model_program, list_standardized
from .source.section_functions import emit_functions
from .training_session import check_section

_OF_THE_SECTION = "it describes the section: change the section, and make a new objective"
FIXED = {
    "model": "to share the parameters of another module, pass it to `training(section, model=other)`; to load weights, call "
    "`objective.model.load_state_dict(weights)`; for a wrapper of the same model, call `objective.set_parallel_module(wrapper)`",
    "module": "for a wrapper of the same model, call `objective.set_parallel_module(wrapper)`",
    "recipe": "change the settings in the section, or pass `params` to `training`, and make a new objective",
    **dict.fromkeys(("inputs", "means", "names", "training_section"), _OF_THE_SECTION),
}
"""Attributes that cannot be replaced, each with what to do instead. The functions of the section's file would not know of it."""
SETTINGS = frozenset((*Recipe.__annotations__, "clip", "lr"))
"""Names of settings, which are attributes of the recipe. An attribute of the objective with such a name would change nothing."""


class Objective(nn.Module):
    """The model of a train section, with its loss and metrics, and what trains it.

    Called with the inputs by name, `[N, ...]` as declared, it gives the loss, a tensor without axes, and a dict of the metrics, likewise.
    `model` is the module to be trained, under the keys of the spec. `inputs` are the types of the inputs, `names` the results in order, the
    loss first; `recipe` has the settings of the section: `batch`, `epochs`, `accumulate`, `clip_norm`, ...
    """

    def __init__(
        self,
        training: Training,
        means: MeanDecomposition | None = None,
        weights: Weights | None = None,
        seed: int | None = None,
        recipe: Recipe | None = None,
        shared: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.training_section = training
        self.means = means if means is not None else decompose_objective(training)
        self.recipe = recipe if recipe is not None else read_recipe(training)[0]
        self.names = self.means.names
        self.inputs = {value.name: value.type for value in training.program.main.inputs}
        with raise_as_compile_error(training.program):
            self.model: nn.Module = BACKEND.module(_make_model_input(training, weights, seed))
            computed = emit_functions(training, self.means)
        if shared is not None:
            share_tensors(self.model, shared)
        self._shared = [] if shared is None else [shared]
        """The module that the parameters are shared with, in a list for the same reason as `_replicated`."""
        self._replicated: list[nn.Module] = []
        """The module that computes the model's outputs on several processes. In a list, so that `nn.Module` does not register it: it shares
        the parameters of `model`, which would appear twice."""
        self._section = TrainSection(training, self.recipe, self.means, computed, may_draw_numbers(training.program))
        self.execute_file(None)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in FIXED and (name == "module" or name in self.__dict__ or name in self.__dict__["_modules"]):
            raise AttributeError(f"`objective.{name}` cannot be replaced: {FIXED[name]}")
        if name in SETTINGS:
            raise AttributeError(f"`{name}` is no attribute that an objective reads: {FIXED['recipe']}")
        super().__setattr__(name, value)

    def __delattr__(self, name: str) -> None:
        if name in FIXED:
            raise AttributeError(f"`objective.{name}` cannot be removed")
        super().__delattr__(name)

    def add_module(self, name: str, module: nn.Module | None) -> None:
        if name in FIXED:
            raise AttributeError(f"`objective.{name}` cannot be replaced: {FIXED[name]}")
        super().add_module(name, module)

    def execute_file(self, machine: Machine | None) -> None:
        """Execute the file of the section, for `netc train` on a machine, or for a caller's own loop (None)."""
        self.file = SectionFile(emit_run_file(self._section, machine))
        self.constants = nn.ModuleDict(self.file.modules)

    @property
    def module(self) -> nn.Module:
        """The module that computes the model's outputs: the model, or its wrapper on several processes."""
        return self._replicated[0] if self._replicated else self.model

    def set_parallel_module(self, module: nn.Module | None) -> None:
        """Compute the model's outputs with a wrapper that works on several processes; None restores the model itself."""
        self._replicated = [] if module is None else [module]

    @check_arguments
    def replace_model(self, model: nn.Module) -> None:
        """Replace the model by a part of it, with the same parameters under the same keys."""
        super().__setattr__("model", model)

    def optimizer(self) -> torch.optim.Optimizer:
        """Make the section's optimizer over the parameters of `model`, in groups. Frozen parameters no longer require gradients."""
        # `fused` and `foreach` depend on how the parameters are distributed, so the file is emitted again for DTensors.
        meshes = {p.device_mesh for p in self.model.parameters() if isinstance(p, DTensor)}
        file = SectionFile(emit_settings_file(self.recipe, len(meshes))) if meshes else self.file
        optimizer: torch.optim.Optimizer = file.make_optimizer(self.model)
        return optimizer

    @check_arguments
    def schedule(self, optimizer: torch.optim.Optimizer, steps: int) -> Schedule | None:
        """Make the section's scheduler for a run of that many steps, to be stepped after each; None for a constant learning rate."""
        return make_schedule(self.file, optimizer, self.recipe, _check_positive(steps, "steps"))

    def source(self) -> str:
        """Return the section as a file that needs only torch and NumPy, as `netc compile --target train` writes it."""
        return emit_training_file(self.training_section)

    def clip(self) -> None:
        """Clip the gradients of `model` if the section has `clip`. Call it between `backward` and the optimizer's step."""
        if self.file.has_function("clip_gradients"):
            self.file.clip_gradients(self.model)

    def follow(self, step: int | None = None) -> None:
        """Update the parameters that follow others, if the section has `follow`. Call it without a step before the first step, and with
        the number of the step, from 0, after each step of the optimizer."""
        if not self.file.has_function("pair_followers"):
            return
        followers = self.file.pair_followers(self.model)
        if step is None:
            self.file.start_followers(followers)
        else:
            self.file.update_followers(followers, step)

    def augment(self, inputs: Mapping[str, Tensor], samples: Sequence[int], step: int) -> dict[str, Tensor]:
        """Augment a batch as `netc train` does in a step, if the section has `augment`.

        Args:
            inputs: The batch on the CPU, `[N, ...]`.
            samples: For each row of the batch, the index of the sample in the data.
            step: The number of the step, from 0. Seed, step and index determine the random numbers.
        """
        if not self.file.has_function("augment_batch"):
            return dict(inputs)
        augmented: dict[str, Tensor] = self.file.augment_batch(dict(inputs), torch.as_tensor(samples), step)
        return augmented

    def fit_standardize(self, batches: Iterable[Mapping[str, Tensor]]) -> None:
        """Measure the means and deviations of the model's `standardize` stages on the training samples, as `netc train` does before
        the first step. Stages with loaded numbers keep them. The batches are read once for each stage."""
        if self.file.has_function("fit_standardize"):
            samples = list(batches)
            self.file.fit_standardize(self.model, lambda: samples)

    def balance_classes(self, samples: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Compute the inputs of `balance`, the weights of classes, from all training samples. Add them to the inputs of each batch.

        Args:
            samples: The training samples by input, `[samples, ...]`. Only the targets of `balance` are needed.
        """
        if not self.file.has_function("balance_classes"):
            return {}
        weights: dict[str, Tensor] = self.file.balance_classes(dict(samples), slice(None))
        return weights

    def forward(self, inputs: Mapping[str, Tensor]) -> tuple[Tensor, dict[str, Tensor]]:
        """Compute the loss and the metrics of a batch. Inputs of other names are ignored; a missing one is a `ValueError`.

        If the section has several losses, the first result is the loss of the first `minimize`, and the metrics have all losses.
        """
        self._check_inputs(inputs)
        if self._shared and not are_shared(self.model, self._shared[0]):
            raise RuntimeError(
                "the parameters are no longer shared with the other module: move that module to its device before you share it"
            )
        results = self.results(self.totals(inputs), self.counts(inputs))
        losses = self.training_section.losses
        return results[losses[0]], {name: value for name, value in results.items() if len(losses) > 1 or name != losses[0]}

    def totals(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Compute one sum for each mean of the objective, with a gradient."""
        return list(self.file.compute_totals(self.module, inputs))

    def counts(self, inputs: Mapping[str, Tensor]) -> list[Tensor]:
        """Compute the divisor of each total, from data alone. Nothing waits for the device."""
        device = next(iter(inputs.values())).device
        with torch.no_grad():
            counts = self.file.compute_counts(inputs)
        return [c.double() if isinstance(c, Tensor) else torch.tensor(c, dtype=torch.float64, device=device) for c in counts]

    def results(self, totals: Sequence[Tensor], counts: Sequence[Tensor]) -> dict[str, Tensor]:
        """Compute the loss and the metrics from totals and counts."""
        results: dict[str, Tensor] = self.file.compute_metrics(totals, [c.to(t.dtype) for t, c in zip(totals, counts, strict=True)])
        return results

    def _check_inputs(self, inputs: Mapping[str, Tensor]) -> None:
        if not isinstance(inputs, Mapping):
            raise TypeError(f"the objective takes a mapping of names to tensors, not {type(inputs).__name__}")
        for name, type_ in self.inputs.items():
            if name not in inputs:
                raise ValueError(f"the input `{name}` is missing: the objective takes {', '.join(self.inputs)}")
            tensor = inputs[name]
            if not isinstance(tensor, Tensor):
                raise TypeError(f"the input `{name}` must be a tensor, not {type(tensor).__name__}")
            if tensor.ndim != type_.rank:
                raise ValueError(f"the input `{name}` must be {type_}, found {list(tensor.shape)}")


def make_objective(
    training: Training, weights: Weights | None = None, seed: int | None = None, shared: nn.Module | None = None
) -> Objective:
    """Make the objective of a section, with parameters of its own or shared with another module. Raises `CompileError` for wrong settings,
    or for a loss that is not a function of means, `WeightsError` for weights that do not fit, and `ValueError` for a module that does not.
    """
    if isinstance(shared, Objective):
        raise TypeError("`model` must be the module of the other objective: pass `objective.model`")
    problems = check_section(training)
    if any(p.severity == "error" for p in problems):
        raise CompileError(tuple(problems))
    return Objective(training, None, weights, seed, shared=shared)


def _make_model_input(training: Training, weights: Weights | None, seed: int | None) -> BackendInput:
    """Return the input for the model alone, so that a seed gives it the same parameters as without the section."""
    checkpoint = to_checkpoint(weights)
    if checkpoint is not None:  # a published network knows no numbers of your data: netc measures them before the first step
        stages = list_standardized(training)
        checkpoint = allow_missing_also(checkpoint, (f"{stage}.{name}" for stage in stages for name in ("mean", "std")))
    model = make_backend_input(extract_model_program(training), checkpoint, seed)
    if model.weights is None:
        return model
    with warn_about_weights(model):
        arrays = model.open_arrays()
    # with the weights that are open already, so that the warnings are not repeated
    return BackendInput(model.program, model.name, weights=lambda: arrays)


def _check_positive(value: int, what: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{what} must be an integer, not {type(value).__name__}")
    if value < 1:
        raise ValueError(f"{what} must be at least 1, not {value}")
    return value
