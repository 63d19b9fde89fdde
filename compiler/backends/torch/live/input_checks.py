"""Makes modules refuse inputs that do not fit the spec, with a message about the input instead of a matrix product.

In: the class of a model, the inputs that the spec declares, and the checks of their sizes. Out: the same class. Its calls raise ValueError
if the sizes break a `where` or a stage. If a call fails for another reason and its arguments do not fit the declared inputs, the error is
a ValueError with the input and both shapes. Always: the same sizes are checked once; compilers and tracers see the plain call.

    >>> import netc
    >>> import torch
    >>> netc.compile("input 3 -> dense 2").module()(torch.zeros(1, 4))
    Traceback (most recent call last):
    ValueError: the input `input` is float32 [N, 3], found the shape [1, 4]
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from types import FunctionType
from typing import Any

import torch
from torch import Tensor, nn

from ....analysis.input_shapes import SizeChecks
from ....ir.ports import Port, Sizes, check_shape, shape_fits

_REMEMBERED = 4096
"""The number of shapes that are remembered as fitting. A model that meets more shapes checks some of them again."""


def add_input_checks(cls: type[nn.Module], inputs: tuple[Port, ...], checks: SizeChecks | None = None) -> None:
    """Replace the call of the class's instances by one that checks its inputs."""
    fitting: set[object] = set()

    def call(self: nn.Module, *args: Any, **kwargs: Any) -> Any:
        # A traced comparison of sizes would become a guard of the compiled model.
        if torch.compiler.is_compiling() or _is_tracing():
            return nn.Module.__call__(self, *args, **kwargs)
        if checks is not None:
            key = _make_shapes_key(args, kwargs)
            if key is not None and key not in fitting:
                _check_sizes(self, inputs, checks, args, kwargs)
                # A server may meet any number of shapes, and the set must not grow without bound.
                if len(fitting) < _REMEMBERED:
                    fitting.add(key)
        try:
            return nn.Module.__call__(self, *args, **kwargs)
        except Exception as error:
            why = _describe_misfit(self, inputs, args, kwargs)
            if why:
                raise ValueError(why) from error
            raise

    if inputs:
        # torch.compile counts how often it compiles a code object: each class has one of its own.
        own_call = FunctionType(call.__code__.replace(), call.__globals__, call.__name__, call.__defaults__, call.__closure__)
        cls.__call__ = own_call  # type: ignore[method-assign]


def _is_tracing() -> bool:
    """Whether `torch.jit.trace` records the call. Sizes are tensors then."""
    return torch._C._get_tracing_state() is not None


def _make_shapes_key(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> object:
    """Make a key for the shapes of the arguments. None if an argument is no tensor, or if sizes are symbols because the call is traced."""
    shapes = []
    for value in _iterate_tensors((*args, *kwargs.values())):
        if not isinstance(value, Tensor):
            return None
        shapes.append(value.shape)
    key = (*shapes, *kwargs)
    try:
        hash(key)
    except TypeError:  # a size that is a symbol has no hash
        return None
    return key


def _check_sizes(module: nn.Module, inputs: tuple[Port, ...], checks: SizeChecks, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
    """Raise ValueError for sizes that the model cannot be computed with. Other misfits make the call itself fail."""
    bound = _bind_inputs(module, args, kwargs)
    if len(bound) != len(inputs):
        return
    shapes = {port.name: tuple(value.shape) for value, port in zip(bound, inputs, strict=True)}
    if all(shape_fits(port.shape, shapes[port.name]) for port in inputs):
        sizes: Sizes = {}
        for port in inputs:
            check_shape(port, shapes[port.name], sizes)
        checks.check_shapes(shapes)


def _bind_inputs(module: nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> list[Any]:
    """Return the tensors in the order of the declared inputs. Empty if the arguments do not match `forward`."""
    try:
        return list(_iterate_tensors(inspect.signature(module.forward).bind(*args, **kwargs).arguments.values()))
    except TypeError:
        return []


def _describe_misfit(module: nn.Module, inputs: tuple[Port, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> str:
    """Describe the first argument that does not fit. Empty if all fit, or if the number of tensors differs."""
    bound = _bind_inputs(module, args, kwargs)
    if len(bound) != len(inputs):
        return ""
    sizes: Sizes = {}
    try:
        for declared, value in zip(inputs, bound, strict=True):
            _check_input(declared, value, sizes)
    except ValueError as error:
        return str(error)
    return ""


def _check_input(declared: Port, value: Any, sizes: Sizes) -> None:
    if not isinstance(value, Tensor):
        remedy = "; make a tensor of it: `torch.as_tensor(x)`" if hasattr(value, "__array__") else ""
        type_name = f"{type(value).__module__}.{type(value).__qualname__}".removeprefix("builtins.")
        raise ValueError(f"the input `{declared.name}` is {declared}, found `{type_name}`{remedy}")
    check_shape(declared, tuple(value.shape), sizes)
    # Any floating-point type fits, since the module may have been converted: only its kind is checked.
    if value.is_floating_point() != declared.dtype.is_float:
        raise ValueError(f"the input `{declared.name}` is {declared}, found {str(value.dtype).removeprefix('torch.')}")


def _iterate_tensors(values: Any) -> Iterator[Any]:
    """Iterate over the arguments in order, and over the items of lists and tuples."""
    for value in values:
        if isinstance(value, (list, tuple)):
            yield from _iterate_tensors(value)
        else:
            yield value
