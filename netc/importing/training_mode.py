"""Runs a module for one step of training in a comparable way: dropout drops nothing, but scales as if it did.

In: a module, and a function that runs it. Out: a `TrainingStep`. Always: two modules that draw with the same probabilities, in any order,
give the same step. The mode of the module is restored, and its state is the state after the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from netc.compiler.types.numpy_types import to_array
from netc.dsl.record import Record

from .first_difference import list_tensors
from .module_weights import list_state_tensors

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

_SEED = 0
_ATEN = torch.ops.aten


class TrainingStep(Record):
    """The outputs of a step, and the parameters and buffers after it."""

    outputs: list[Array]
    state: Mapping[str, Array]


def run_training_step(module: torch.nn.Module, run: Callable[[], Any]) -> TrainingStep:
    """Run a step of training. `run` calls the module."""
    modes = {inner: inner.training for inner in module.modules()}
    module.train()
    try:
        # the caller's random numbers continue as if nothing had been drawn
        with torch.random.fork_rng(devices=()), torch.no_grad(), _KeepAll():  # type: ignore[no-untyped-call]
            torch.manual_seed(_SEED)
            outputs = [to_array(tensor) for tensor in list_tensors(run())]
            return TrainingStep(outputs, {key: to_array(tensor.clone()) for key, tensor in list_state_tensors(module).items()})
    finally:
        for inner, mode in modes.items():
            inner.training = mode


class _KeepAll(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Makes draws keep everything, unless the probability to keep is 0. Dropout still divides by the probability that it was given."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        drawn = _DRAWS.get(func)
        return func(*args, **(kwargs or {})) if drawn is None else drawn(*args, **(kwargs or {}))


def _fill_kept(tensor: torch.Tensor, p: float = 0.5, **_: Any) -> torch.Tensor:
    return tensor.fill_(float(p > 0))


def _make_kept(tensor: torch.Tensor, p: float = 0.5, **_: Any) -> torch.Tensor:
    return torch.full_like(tensor, float(p > 0))


def _make_greatest(size: Any, **options: Any) -> torch.Tensor:
    """Return the largest uniform number: stochastic depth in transformers keeps samples with large numbers."""
    return torch.full(size, 1 - 2.0**-24, **{key: value for key, value in options.items() if key != "names"})  # the largest float32 below 1


def _scale_dropout(tensor: torch.Tensor, p: float, train: bool | None) -> tuple[torch.Tensor, torch.Tensor]:
    # with p = 1 everything is dropped, and 1 / 0 has no value
    scale = 1.0 if train is False else 1 / (1 - p) if p < 1 else 0.0
    return tensor * scale, torch.full_like(tensor, scale > 0, dtype=torch.bool)


_DRAWS: dict[Any, Callable[..., Any]] = {
    _ATEN.bernoulli_.float: _fill_kept,
    _ATEN.bernoulli.p: _make_kept,
    _ATEN.rand.default: _make_greatest,
    _ATEN.native_dropout.default: _scale_dropout,
}
