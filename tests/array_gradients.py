"""PyTorch's gradients, for the frameworks with NumPy's names to compare with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import torch

import netc
from tests.parity import arguments, inputs_for, sizes_of, tensor

UNTRAINED: dict[str, tuple[int, ...]] = {
    "x = input 3x9x9; s = input 3x2; (x, s -> sigmoid) -> fractional_max_pool 2 5": (1,),
    "x = input 1; t = input 1; (x -> sigmoid, t) -> binary_cross_entropy": (1,),
    "x = input 1; t = input 1; (x, t) -> binary_cross_entropy": (1,),
    "x = input 8 -> dense 3; y = input 3; (x, y) -> soft_margin_loss": (1,),
}
"""Inputs for which PyTorch refuses a gradient, or has an infinite one, by number."""


class Gradients(NamedTuple):
    """The gradients of a weighted sum of the results by the inputs `trained`. `fed` are all inputs, and `weights` are the factors of the
    results that have a gradient."""

    fed: list[torch.Tensor]
    trained: list[int]
    weights: list[torch.Tensor]
    wanted: list[torch.Tensor]


def compute_gradients(model: netc.Model, module: torch.nn.Module, text: str, values: Sequence[Any] = ()) -> Gradients:
    """PyTorch's gradients by each input that has one, at the values of the inputs: by default, at random ones."""
    untrained = UNTRAINED.get(text, ())
    arrays = dict(zip(model.inputs, values, strict=True)) if values else inputs_for(model, sizes_of(model)[0])
    fed = [tensor(arrays[name], type_) for name, type_ in model.inputs.items()]
    trained = [index for index, one in enumerate(fed) if one.is_floating_point() and index not in untrained]
    for index in trained:
        fed[index].requires_grad_()
    results = [one for one in flatten(module(*arguments(model, fed))) if one.requires_grad]
    weights = [torch.randn(one.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) for one in results]
    if not results or not trained:
        return Gradients([one.detach() for one in fed], [], [], [])
    total = sum((one.double() * weight).sum() for one, weight in zip(results, weights, strict=True))
    given = torch.autograd.grad(total, [fed[index] for index in trained], allow_unused=True)
    wanted = [torch.zeros_like(fed[index]) if one is None else one for index, one in zip(trained, given, strict=True)]
    return Gradients([one.detach() for one in fed], trained, weights, wanted)


def regroup(model: netc.Model, fed: list[torch.Tensor], values: list[Any]) -> list[Any]:
    """Values of the inputs as arguments, of which some are tuples."""
    left = iter(values)
    return [tuple(next(left) for _ in one) if isinstance(one, tuple) else next(left) for one in arguments(model, fed)]


def flatten(results: Any) -> list[Any]:
    return [item for part in results for item in flatten(part)] if isinstance(results, (tuple, list)) else [results]
