"""One call of a reference: the arguments of an operator as attributes, and what else decides what PyTorch would do.

In: the arguments by name, as a person would give them to PyTorch (`int`, `float`, tuples, words, `torch.dtype`). Out: attributes, and
`layer`, which makes a module of PyTorch's the one with these weights. Always: an argument that the operator does not have is an error.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import torch
from torch import nn

Module = TypeVar("Module", bound=nn.Module)


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

    def layer(self, module: Module) -> Module:
        """The module with the weights of this call, all of which it must have under these names, and no others."""
        if self.state is not None:
            module.load_state_dict(dict(self.state))
        return module.train(self.training)


def ranked(where: Any, name: str, x: torch.Tensor) -> Any:
    """PyTorch's function or class for as many spatial axes as `x` has: `nn.Conv2d`. An AttributeError if there is none."""
    return getattr(where, f"{name}{x.ndim - 2}d")
