"""Layers as one loop: definitions for the files of Flax."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx


class ScannedLayers(nnx.Module):
    """Equal layers that are called one after the other by `jax.lax.scan`, so that XLA compiles one layer for all of
    them. Each variable in `layer` has the values of all layers, [layers, ...].

    x -> of the same shape. The other arguments are the same for all layers.
    """

    def __init__(self, layers: Iterable[nnx.Module] | dict[str, nnx.Module] = (), **named: nnx.Module) -> None:
        members = layers if isinstance(layers, dict) else {str(i): layer for i, layer in enumerate(layers)}
        members = members | named
        graphs, states = zip(*map(nnx.split, members.values()), strict=True)
        # Two `partial` of the same function and arguments are not equal, but print alike.
        if len({repr(graph) for graph in graphs}) > 1:
            raise ValueError("only equal layers can be scanned")
        self.layer = nnx.merge(graphs[0], jax.tree.map(lambda *arrays: jnp.stack(arrays), *states))
        self.keys = tuple(members)

    def __call__(self, x: jax.Array, *others: Any) -> jax.Array:
        graph, state = nnx.split(self.layer)

        def call_layer(x: jax.Array, state: Any) -> tuple[jax.Array, Any]:
            before = [jax.tree.leaves(variable) for _, variable in nnx.to_flat_state(state)]
            layer = nnx.merge(graph, state)
            x = layer(x, *others)
            after = nnx.to_flat_state(nnx.state(layer))
            # Only what a layer changes, such as running statistics, is a result of the loop.
            pairs = zip(after, before, strict=True)
            return x, nnx.from_flat_state([item for item, old in pairs if jax.tree.leaves(item[1])[0] is not old[0]])

        x, changed = jax.lax.scan(call_layer, x, state, length=len(self.keys))
        nnx.update(self.layer, changed)
        return x


def find_scans(model: nnx.Module) -> list[tuple[str, tuple[str, ...], int]]:
    """The layers that a model scans, outer ones first: path, keys, and the axis on which they are stacked."""
    graph = nnx.iter_graph(model)
    scans = {".".join(map(str, names)): part.keys for names, part in graph if isinstance(part, ScannedLayers)}
    axes = {path: sum(path.startswith(f"{other}.layer.") for other in scans) for path in scans}
    return [(path, scans[path], axes[path]) for path in sorted(scans, key=len)]


def stack_layers(model: nnx.Module, tensors: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Stacks the tensors of layers that the model scans: `layers.0.weight`, `layers.1.weight` and so on become
    `layers.layer.weight`.
    """
    stacked = dict(tensors)
    for path, keys, axis in find_scans(model):
        first = f"{path}.{keys[0]}."
        for name in [name.removeprefix(first) for name in stacked if name.startswith(first)]:
            stacked[f"{path}.layer.{name}"] = jnp.stack([stacked.pop(f"{path}.{key}.{name}") for key in keys], axis)
    return stacked


def unstack_layers(model: nnx.Module, tensors: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
    """Gives the tensors of layers that the model scans the names of the checkpoint again, to save them."""
    unstacked = dict(tensors)
    for path, keys, axis in reversed(find_scans(model)):
        for name in [name for name in unstacked if name.startswith(f"{path}.layer.")]:
            layers = jnp.moveaxis(unstacked.pop(name), axis, 0)
            rest = name.removeprefix(f"{path}.layer.")
            unstacked |= {f"{path}.{key}.{rest}": layer for key, layer in zip(keys, layers, strict=True)}
    return unstacked
