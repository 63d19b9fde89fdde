"""Variables, initial values and containers: definitions for the files of Flax."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class Buffer(nnx.Variable[Any]):
    """A tensor of the checkpoint that is not trained."""


def load(model: nnx.Module, path: str) -> None:
    """Sets the parameters and buffers of a model to the tensors under their names in a safetensors file."""
    from safetensors.flax import load_file

    variables = {}
    for names, module in nnx.iter_graph(model):
        for name, value in vars(module).items() if isinstance(module, nnx.Module) else ():
            if isinstance(value, nnx.Variable):
                variables[".".join(map(str, (*names, name)))] = value
    tensors = load_file(path)
    found = {id(variables[name]) for name in variables.keys() & tensors.keys()}
    missing = [name for name, variable in variables.items() if id(variable) not in found]
    unknown = [name for name in tensors if name not in variables]
    if missing or unknown:
        raise KeyError(f"{path} lacks {missing}, and the model lacks {unknown}")
    for name, tensor in tensors.items():
        if tensor.shape != variables[name].shape:
            raise ValueError(f"{name} is {tensor.shape} in {path}, and {variables[name].shape} in the model")
        variables[name][...] = tensor


def freeze(module: nnx.Module) -> nnx.Module:
    """The module with parameters that are not trained."""
    for _, part in list(nnx.iter_graph(module)):
        for name, value in list(vars(part).items()) if isinstance(part, nnx.Module) else ():
            if isinstance(value, nnx.Param):
                setattr(part, name, Buffer(value[...]))
    return module


def draw(variable: nnx.Variable[Any], init: Callable[..., jax.Array], rngs: nnx.Rngs) -> None:
    """Draws the first value of a parameter again."""
    variable[...] = init(rngs.params(), variable.shape, variable.dtype)


def uniform_between(low: float, high: float) -> Callable[..., jax.Array]:
    """Draws numbers between two numbers."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, **_: Any) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, low, high)

    return init


def shifted_normal(mean: float, stddev: float) -> Callable[..., jax.Array]:
    """Draws from the normal distribution with this mean."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, **_: Any) -> jax.Array:
        return mean + stddev * jax.random.normal(key, shape, dtype)

    return init


def truncated_normal(mean: float, stddev: float, low: float, high: float) -> Callable[..., jax.Array]:
    """Draws from the normal distribution between two numbers."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, **_: Any) -> jax.Array:
        ends = (low - mean) / stddev, (high - mean) / stddev
        return mean + stddev * jax.random.truncated_normal(key, *ends, shape, dtype)

    return init


class Sequential(nnx.Module):
    """Layers that are called one after the other. Each is an attribute under its number or name, so the parameters
    have the keys of the checkpoint, without the `layers` of `nnx.Sequential`.
    """

    def __init__(self, *layers: Any, **named: Any) -> None:
        if len(layers) == 1 and isinstance(layers[0], dict):
            layers, named = (), layers[0]
        members = {str(i): layer for i, layer in enumerate(layers)} | named
        self._names = tuple(members)
        for name, layer in members.items():
            setattr(self, name, layer)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int | str | slice) -> Any:
        if isinstance(index, slice):
            return [getattr(self, name) for name in self._names[index]]
        return getattr(self, index if isinstance(index, str) else self._names[index])

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self._names:
            x = getattr(self, name)(x)
        return x
