"""`python -m tests.flax.sharded_step`: netc's Flax modules on eight virtual devices of the CPU, against one device.

In: on standard input, JSON: for each model its source, the name of its class, the shape of its input, and the number of indices if it takes
indices. Out: a line of JSON, for each model the largest differences of outputs and gradients, as parts of the largest value, and for each
variable its shape and the shape of its part on one device. XLA_FLAGS gives the number of devices.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


@nnx.jit
def compute(model: nnx.Module, x: jax.Array) -> tuple[Any, Any]:
    """The output of a model, and the gradients of the sum of its squares."""

    def sum_squares(model: nnx.Module) -> tuple[jax.Array, jax.Array]:
        y = model(x)
        return (y**2).sum(), y

    gradients, output = nnx.grad(sum_squares, has_aux=True)(model)
    return output, gradients


def measure_distance(one: Any, other: Any) -> float:
    pairs = zip(jax.tree.leaves(one), jax.tree.leaves(other), strict=True)
    return max(float(np.abs(np.asarray(a) - np.asarray(b)).max() / max(np.abs(np.asarray(a)).max(), 1e-6)) for a, b in pairs)


def run(text: str, name: str, shape: list[int], indices: int) -> dict[str, Any]:
    generator = np.random.default_rng(0)
    x = jnp.asarray(generator.integers(0, indices, shape) if indices else generator.normal(size=shape))
    space: dict[str, Any] = {"__name__": "spec"}
    exec(compile(text, "spec.py", "exec", dont_inherit=True), space)
    model = space[name](rngs=nnx.Rngs(0))
    wanted = compute(model, x)
    space["shard"](model, jax.make_mesh((jax.device_count(),), ("tp",)))
    output, gradients = compute(model, x)
    variables = {".".join(map(str, path)): value[...] for path, value in nnx.to_flat_state(nnx.state(model, nnx.Param))}
    return {
        "devices": jax.device_count(),
        "output": measure_distance(wanted[0], output),
        "gradients": measure_distance(wanted[1], gradients),
        "shapes": {name: [array.shape, array.addressable_shards[0].data.shape] for name, array in variables.items()},
    }


if __name__ == "__main__":
    print(json.dumps([run(**model) for model in json.load(sys.stdin)]))
