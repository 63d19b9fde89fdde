"""Tensors, initial values and containers: definitions for the files of MLX."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import mlx.core as mx
import mlx.nn as nn


class Constant:
    """A tensor that is no parameter."""

    def __init__(self, value: mx.array) -> None:
        self.value = value


def register_buffer(module: nn.Module, name: str, value: mx.array) -> None:
    """Sets a tensor of the checkpoint that is not trained."""
    module[name] = value
    module.freeze(keys=name, recurse=False)


def tie(module: nn.Module, name: str, owner: nn.Module, key: str) -> None:
    """Makes a parameter of a module the parameter `key` of another one."""
    module.pop(name, None)
    base = type(module)
    members = {
        "tied": {**getattr(base, "tied", {}), name: (owner, key)},
        name: property(lambda self: owner[key]),
        "__getitem__": lambda self, item: owner[key] if item == name else base.__getitem__(self, item),
    }
    module.__class__ = type(base.__name__, (base,), members)


def list_tensors(module: Any, path: str = "") -> dict[str, tuple[Any, str | int]]:
    """The place of each parameter and buffer under its name: the module, dictionary or list that has it, and its key."""
    places: dict[str, tuple[Any, str | int]] = {}
    for key, value in enumerate(module) if isinstance(module, list) else module.items():
        if isinstance(value, mx.array):
            places[f"{path}{key}"] = module, key
        elif isinstance(value, (dict, list)):
            places |= list_tensors(value, f"{path}{key}.")
    return places | {f"{path}{name}": place for name, place in getattr(type(module), "tied", {}).items()}


def load(model: nn.Module, path: str) -> None:
    """Sets the parameters and buffers of a model to the tensors under their names in a safetensors file."""
    places, tensors = list_tensors(model), mx.load(path)
    found = {(id(module), key) for module, key in (places[name] for name in places.keys() & tensors.keys())}
    missing = [name for name, (module, key) in places.items() if (id(module), key) not in found]
    unknown = [name for name in tensors if name not in places]
    if missing or unknown:
        raise KeyError(f"{path} lacks {missing}, and the model lacks {unknown}")
    for name, tensor in tensors.items():
        module, key = places[name]
        if tensor.shape != module[key].shape:
            raise ValueError(f"{name} is {tensor.shape} in {path}, and {module[key].shape} in the model")
        module[key] = tensor


def initialize(module: nn.Module, name: str, init: Callable[[mx.array], mx.array], zero_row: int | None = None) -> None:
    """Draws the first value of a parameter again. The row `zero_row` stays zero."""
    value = init(module[name])
    module[name] = value if zero_row is None else mx.where((mx.arange(len(value)) == zero_row)[:, None], 0, value)


def cast(module: nn.Module, dtype: mx.Dtype) -> nn.Module:
    """The module with parameters of this type."""
    module.set_dtype(dtype)
    return module


def variance_scaling(scale: float, mode: str, distribution: str) -> Callable[[mx.array], mx.array]:
    """Draws a weight [out, in, ...] whose variance is `scale` divided by the number of inputs or outputs, or their mean."""

    def init(weight: mx.array) -> mx.array:
        size = math.prod(weight.shape[2:])
        fans = {"fan_in": weight.shape[1] * size, "fan_out": weight.shape[0] * size}
        deviation = (scale / (sum(fans.values()) / 2 if mode == "fan_avg" else fans[mode])) ** 0.5
        bound = 3**0.5 * deviation
        return (nn.init.uniform(-bound, bound) if distribution == "uniform" else nn.init.normal(0.0, deviation))(weight)

    return init


def truncated_normal(mean: float, std: float, low: float, high: float) -> Callable[[mx.array], mx.array]:
    """Draws from the normal distribution between two numbers."""

    def init(weight: mx.array) -> mx.array:
        ends = (low - mean) / std, (high - mean) / std
        return (mean + std * mx.random.truncated_normal(*ends, weight.shape)).astype(weight.dtype)

    return init


def orthogonal(gain: float) -> Callable[[mx.array], mx.array]:
    """Draws a weight whose rows, or columns if there are fewer of them, are orthogonal."""

    def init(weight: mx.array) -> mx.array:
        rows = weight.shape[0]
        flat = mx.random.normal((rows, weight.size // rows))
        wide = flat.shape[1] >= rows
        q, r = mx.linalg.qr(flat.T if wide else flat, stream=mx.cpu)
        q = q * mx.sign(mx.diagonal(r))
        return (gain * (q.T if wide else q)).reshape(weight.shape).astype(weight.dtype)

    return init


class Sequential(nn.Module):
    """Layers that are called one after the other. Each is a member under its number or name, so the parameters
    have the keys of the checkpoint, without the `layers` of `nn.Sequential`.
    """

    def __init__(self, *layers: Any, **named: Any) -> None:
        super().__init__()
        if len(layers) == 1 and type(layers[0]) is dict:
            layers, named = (), layers[0]
        members = {str(i): layer for i, layer in enumerate(layers)} | named
        self._names = tuple(members)
        for name, layer in members.items():
            self[name] = layer

    def __getitem__(self, index: int | str | slice) -> Any:
        if isinstance(index, slice):
            return [self[name] for name in self._names[index]]
        return super().__getitem__(self._names[index] if isinstance(index, int) else index)

    def __call__(self, x: mx.array) -> mx.array:
        for name in self._names:
            x = self[name](x)
        return x


class ModuleList(nn.Module):
    """Modules under their numbers."""

    def __init__(self, modules: Sequence[nn.Module] = ()) -> None:
        super().__init__()
        for i, module in enumerate(modules):
            self[str(i)] = module

    def __getitem__(self, index: int | str) -> Any:
        return super().__getitem__(str(index))

    def __iter__(self) -> Any:
        return iter([self[name] for name in self.keys() if name.isdecimal()])


class ModuleDict(nn.Module):
    """Modules under their names."""

    def __init__(self, modules: dict[str, nn.Module] | None = None) -> None:
        super().__init__()
        for name, module in (modules or {}).items():
            self[name] = module


def mean(x: mx.array) -> mx.array:
    """The mean of all elements. In 16 bits, large sums are infinite."""
    return x.astype(mx.result_type(x, mx.float32)).mean().astype(x.dtype)
