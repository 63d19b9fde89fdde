"""One call of a reference: the arguments of an operator as attributes, and what else decides what PyTorch would do.

In: the arguments by name, as a person would give them to PyTorch (`int`, `float`, tuples, words, `torch.dtype`). Out: attributes, and
`layer`, which makes a module of PyTorch's the one with these weights. Always: an argument that the operator does not have is an error.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

NAMES = ("weight", "bias")


class Call:
    """`results` counts those that are wanted; `state` has the parameters by PyTorch's own names, None: PyTorch draws them."""

    def __init__(
        self, arguments: Mapping[str, Any], results: int = 1, state: Mapping[str, torch.Tensor] | None = None, training: bool = False
    ) -> None:
        self.arguments = arguments
        self.results = results
        self.state = state
        self.training = training

    def __getattr__(self, name: str) -> Any:
        try:
            return self.arguments[name]
        except KeyError:
            raise AttributeError(name) from None

    def layer(self, module: nn.Module, *tensors: torch.Tensor) -> Callable[..., Any]:
        """The module with the weights of this call, all of which it must have under these names, and no others. `tensors` are its
        `weight` and `bias` instead of its own, of which it has as many, of the same shapes and types."""
        if len(tensors) > len(NAMES):
            raise TypeError("a tensor too many")
        own, given = module.state_dict(), dict(zip(NAMES, tensors, strict=False))
        for name, tensor in given.items():
            if name not in own or own[name].shape != tensor.shape or own[name].dtype != tensor.dtype:
                raise RuntimeError(f"the {name} of the module is another one")
        if given and "bias" in own and "bias" not in given:
            raise RuntimeError("the module has a bias of its own")
        if self.state is not None:
            module.load_state_dict({**self.state, **given})
        module.train(self.training)
        return partial(_called, module, given) if given else module


def _called(module: nn.Module, given: dict[str, torch.Tensor], *inputs: torch.Tensor) -> Any:
    return functional_call(module, given, inputs)


def ranked(where: Any, name: str, x: torch.Tensor) -> Any:
    """PyTorch's function or class for as many spatial axes as `x` has: `nn.Conv2d`. An AttributeError if there is none."""
    return getattr(where, f"{name}{x.ndim - 2}d")
