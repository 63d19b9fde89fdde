"""What a module does in one step of training, made comparable: nothing is dropped, but all is scaled as if it had been.

In: a module and what runs it. Out: a `Step`. Always: two modules that draw the same things with the same probabilities, in whatever order,
give the same step; the mode of the module is as before, its state is that after the step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from netc.compiler.types.numpy_types import to_array
from netc.dsl.record import Record

from .first_difference import tensors_in

if TYPE_CHECKING:
    from netc.compiler.types.numpy_types import Array

_SEED = 0
_ATEN = torch.ops.aten


class Step(Record):
    """What a step made, and the parameters and buffers after it."""

    outputs: list[Array]
    state: Mapping[str, Array]


def step_of(module: torch.nn.Module, run: Callable[[], Any]) -> Step:
    """The step that `run` is, which calls the module."""
    modes = {inner: inner.training for inner in module.modules()}
    module.train()
    try:
        with torch.random.fork_rng(devices=()), torch.no_grad(), _AllKept():  # type: ignore[no-untyped-call]
            torch.manual_seed(_SEED)
            outputs = [to_array(tensor) for tensor in tensors_in(run())]
            return Step(outputs, {key: to_array(tensor.clone()) for key, tensor in module.state_dict().items()})
    finally:
        for inner, mode in modes.items():
            inner.training = mode


class _AllKept(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Draws of what is kept keep everything, unless nothing can be kept. Dropout then divides by the probability that was asked for."""

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Mapping[str, Any] | None = None) -> Any:
        drawn = _DRAWS.get(func)
        return func(*args, **(kwargs or {})) if drawn is None else drawn(*args, **(kwargs or {}))


def _filled(tensor: torch.Tensor, p: float = 0.5, **_: Any) -> torch.Tensor:
    return tensor.fill_(float(p > 0))


def _made(tensor: torch.Tensor, p: float = 0.5, **_: Any) -> torch.Tensor:
    return torch.full_like(tensor, float(p > 0))


def _greatest(size: Any, **options: Any) -> torch.Tensor:
    """Uniform numbers, of which stochastic depth as transformers has it keeps those that are large."""
    return torch.full(size, 1 - 2.0**-24, **{key: value for key, value in options.items() if key != "names"})


def _dropout(tensor: torch.Tensor, p: float, train: bool | None) -> tuple[torch.Tensor, torch.Tensor]:
    scale = 1.0 if train is False else 1 / (1 - p) if p < 1 else 0.0
    return tensor * scale, torch.full_like(tensor, scale > 0, dtype=torch.bool)


_DRAWS: dict[Any, Callable[..., Any]] = {
    _ATEN.bernoulli_.float: _filled,
    _ATEN.bernoulli.p: _made,
    _ATEN.rand.default: _greatest,
    _ATEN.native_dropout.default: _dropout,
}
