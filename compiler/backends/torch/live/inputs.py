"""Calls that fail because of what they are given: the input and both shapes, instead of the product of matrices that did not fit.

In: a class of a model, and the inputs that the spec declares. Out: the same class; a call that raises is a `ValueError` if its arguments do
not fit these. Always: a call that PyTorch can compute is as it was, and costs nothing more; nothing is added to what compilers trace.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from ....ir.ports import Port, Sizes, check_shape


def explain_inputs(cls: type[nn.Module], inputs: tuple[Port, ...]) -> None:
    """Changes what a failing call of the class's instances raises."""

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        if torch.compiler.is_compiling():
            return nn.Module.__call__(self, *args, **kwargs)
        try:
            return nn.Module.__call__(self, *args, **kwargs)
        except Exception as error:
            why = _misfit(self, inputs, args, kwargs)
            if why:
                raise ValueError(why) from error
            raise

    if inputs:
        # torch.compile counts how often it compiles a code object: each class has one of its own.
        own = FunctionType(call.__code__.replace(), call.__globals__, call.__name__, call.__defaults__, call.__closure__)
        cls.__call__ = own  # type: ignore[method-assign]


def _misfit(module: nn.Module, inputs: tuple[Port, ...], args: tuple[Any, ...], kwargs: dict[str, Any]) -> str:
    """What does not fit; empty if everything does, or if there is another number of tensors."""
    try:
        given = list(_flat(inspect.signature(module.forward).bind(*args, **kwargs).arguments.values()))
    except TypeError:
        return ""
    if len(given) != len(inputs):
        return ""
    sizes: Sizes = {}
    try:
        for declared, value in zip(inputs, given, strict=True):
            _check(declared, value, sizes)
    except ValueError as error:
        return str(error)
    return ""


def _check(declared: Port, value: Any, sizes: Sizes) -> None:
    if not isinstance(value, Tensor):
        remedy = "; make a tensor of it: `torch.as_tensor(x)`" if hasattr(value, "__array__") else ""
        found = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise ValueError(f"the input `{declared.name}` is {declared}, found `{found}`{remedy}")
    check_shape(declared, tuple(value.shape), sizes)
    if value.is_floating_point() != declared.dtype.is_float:
        raise ValueError(f"the input `{declared.name}` is {declared}, found {str(value.dtype).removeprefix('torch.')}")


def _flat(values: Any) -> Iterator[Any]:
    """The arguments in order, those of lists and tuples each."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _flat(value)
        else:
            yield value
