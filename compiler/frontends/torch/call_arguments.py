"""Prepares the arguments of a module's call so that torch.export reads them correctly.

In: a module and the arguments of its call. Out: arguments by position and by name, each a tensor of its own, and a `forward` that declares
all of their names. Always: the module gets its own `forward` back afterwards.
"""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from inspect import Parameter
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map_only


def split_arguments(inputs: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Split inputs into arguments by position and by name. They are a tensor, a tuple, a mapping by name, or a pair of both."""
    match inputs:
        case (tuple() | list() as positional, Mapping() as named):
            return tuple(positional), dict(named)
        case Mapping():
            return (), dict(inputs)
        case tuple() | list():
            return tuple(inputs), {}
    return (inputs,), {}


def clone_repeated_tensors(arguments: Any) -> Any:
    """Give each input a tensor of its own. torch.export takes a tensor that is passed twice, as in `attention(x, x, x)`, for one input."""
    seen: set[int] = set()

    def distinct(tensor: torch.Tensor) -> torch.Tensor:
        if id(tensor) in seen:
            return tensor.clone()
        seen.add(id(tensor))
        return tensor

    return tree_map_only(torch.Tensor, distinct, arguments)


@contextmanager
def declare_keywords(module: nn.Module, names: Collection[str]) -> Iterator[None]:
    """Declare the arguments that the module takes as `**kwargs`: called with `scale`, `def forward(self, x, **kwargs)` has the signature
    `(x, *, scale)` within the context.

    torch.export lists such arguments twice, by their names and in a dictionary
    `kwargs`, and refuses its own list (`torch.export._trace._get_range_constraints`, PyTorch 2.13). A `forward` that declares all `names`
    stays as it is."""
    signature = inspect.signature(module.forward)
    declared = [parameter for parameter in signature.parameters.values() if parameter.kind is not Parameter.VAR_KEYWORD]
    undeclared = sorted(set(names) - {parameter.name for parameter in declared})
    # Without `**kwargs`, an undeclared name is the caller's mistake, which `forward` reports.
    if not undeclared or len(declared) == len(signature.parameters):
        yield
        return
    keywords = [Parameter(name, Parameter.KEYWORD_ONLY) for name in undeclared]
    instance_forward = vars(module).get("forward")
    module.forward = _wrap_with_signature(module.forward, signature.replace(parameters=[*declared, *keywords]))
    try:
        yield
    finally:
        if instance_forward is None:
            del module.forward
        else:
            module.forward = instance_forward


def _wrap_with_signature(forward: Callable[..., Any], signature: inspect.Signature) -> Callable[..., Any]:
    @functools.wraps(forward)
    def called(*args: Any, **kwargs: Any) -> Any:
        return forward(*args, **kwargs)

    called.__signature__ = signature  # type: ignore[attr-defined]
    return called
