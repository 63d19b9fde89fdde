"""A process that measures itself: `python flax_depth_step.py ROUNDS SPECS` compiles the gradient of a small Llama in JAX, with 2 and with
32 layers that are scanned, by turns.

In: the number of rounds, and the folder of the specs. Out: a line of JSON, for each round the seconds of the processor for 2 and for 32
layers. Always: nothing is kept from one compilation to the next.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import jax
import jax.numpy as jnp
from flax import nnx

import netc

SIZES: dict[str, Any] = {"width": 64, "heads": 4, "shared_heads": 2, "hidden": 128, "vocabulary": 100}
DEPTHS = (2, 32)


def measure_compilation(module: nnx.Module) -> float:
    graph, state = nnx.split(module)

    def compute_loss(state: Any, tokens: jax.Array) -> jax.Array:
        return nnx.merge(graph, state)(tokens).sum()

    jax.clear_caches()
    before = time.process_time()
    jax.jit(jax.grad(compute_loss)).lower(state, jnp.ones((2, 16), int)).compile()
    return time.process_time() - before


def main(rounds: int, specs: str) -> None:
    path = f"{specs}/text/llama.net"
    modules = [netc.compile_file(path, model="network", params={**SIZES, "depth": depth}).flax(scan_layers=True) for depth in DEPTHS]
    measure_compilation(modules[0])  # the first compilation also starts XLA
    print(json.dumps([[measure_compilation(module) for module in modules] for _ in range(rounds)]))


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2])
