"""A process that measures itself: `python flax_step.py NETWORK ROUNDS SPECS` makes training steps of netc's Flax module, of a module that a
person writes with flax's own layers, and of netc's PyTorch module, by turns.

In: a key of NETWORKS, the number of rounds, and the folder of the specs. Out: a line of JSON, for each round the seconds of a step of each.
Always: the same network, batch and optimizer (SGD); the steps in JAX are compiled by `nnx.jit` before the first measurement.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax
import torch
from flax import nnx
from torch.nn import functional as F  # noqa: N812

import netc

Step = Callable[[], None]


class ByHandMlp(nnx.Module):
    """784 features to 10 classes, 512 wide."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.layers = nnx.List([nnx.Linear(a, b, rngs=rngs) for a, b in ((784, 512), (512, 512), (512, 10))])

    def __call__(self, x: jax.Array) -> jax.Array:
        for layer in self.layers[:-1]:
            x = nnx.relu(layer(x))
        return self.layers[-1](x)


class ByHandBlock(nnx.Module):
    """A basic block of ResNet, channels last."""

    def __init__(self, before: int, width: int, stride: int, rngs: nnx.Rngs) -> None:
        self.conv1 = nnx.Conv(before, width, (3, 3), strides=stride, padding=1, use_bias=False, rngs=rngs)
        self.norm1 = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.conv2 = nnx.Conv(width, width, (3, 3), padding=1, use_bias=False, rngs=rngs)
        self.norm2 = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.is_wider = stride != 1 or before != width
        if self.is_wider:
            self.shortcut = nnx.Conv(before, width, (1, 1), strides=stride, use_bias=False, rngs=rngs)
            self.norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        y = nnx.relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        return nnx.relu(y + (self.norm(self.shortcut(x)) if self.is_wider else x))


class ByHandResnet(nnx.Module):
    """ResNet-18, channels last."""

    def __init__(self, rngs: nnx.Rngs) -> None:
        self.stem = nnx.Conv(3, 64, (7, 7), strides=2, padding=3, use_bias=False, rngs=rngs)
        self.norm = nnx.BatchNorm(64, momentum=0.9, rngs=rngs)
        widths = [(64, 64, 1), (64, 64, 1), (64, 128, 2), (128, 128, 1), (128, 256, 2), (256, 256, 1), (256, 512, 2), (512, 512, 1)]
        self.blocks = nnx.List([ByHandBlock(before, width, stride, rngs) for before, width, stride in widths])
        self.head = nnx.Linear(512, 1000, rngs=rngs)

    def __call__(self, x: jax.Array) -> jax.Array:
        x = nnx.relu(self.norm(self.stem(x.transpose(0, 2, 3, 1))))
        x = nnx.max_pool(x, (3, 3), (2, 2), [(1, 1), (1, 1)])
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean((1, 2)))


def open_mlp(specs: str) -> netc.Model:
    return netc.compile("input 784 -> dense 512 relu -> dense 512 relu -> dense 10")


def open_resnet(specs: str) -> netc.Model:
    return netc.compile_file(f"{specs}/vision/resnet.net", model="resnet18")


NETWORKS: dict[str, tuple[Callable[[str], netc.Model], Any, tuple[int, ...]]] = {
    "mlp": (open_mlp, ByHandMlp, (256, 784)),
    "resnet18": (open_resnet, ByHandResnet, (8, 3, 64, 64)),
}


def make_jax_step(module: Any, x: np.ndarray, labels: np.ndarray) -> Step:
    optimizer = nnx.Optimizer(module, optax.sgd(0.01), wrt=nnx.Param)

    @nnx.jit
    def train_step(module: Any, optimizer: nnx.Optimizer, x: jax.Array, labels: jax.Array) -> jax.Array:
        def compute_loss(module: Any) -> jax.Array:
            return optax.softmax_cross_entropy_with_integer_labels(module(x), labels).mean()

        loss, gradients = nnx.value_and_grad(compute_loss)(module)
        optimizer.update(module, gradients)
        return loss

    batch = jnp.asarray(x), jnp.asarray(labels)
    step = nnx.cached_partial(train_step, module, optimizer)
    return lambda: jax.block_until_ready(step(*batch))


def make_torch_step(module: torch.nn.Module, x: np.ndarray, labels: np.ndarray) -> Step:
    optimizer, batch, target = torch.optim.SGD(module.parameters(), lr=0.01), torch.from_numpy(x), torch.from_numpy(labels)

    def step() -> None:
        optimizer.zero_grad()
        F.cross_entropy(module(batch), target).backward()
        optimizer.step()

    return step


def measure_time(step: Step) -> float:
    before = time.perf_counter()
    step()
    return time.perf_counter() - before


def main(name: str, rounds: int, specs: str) -> None:
    open_model, by_hand, shape = NETWORKS[name]
    generator = np.random.default_rng(0)
    x, labels = generator.normal(size=shape).astype(np.float32), generator.integers(0, 10, shape[0])
    model = open_model(specs)
    steps = [make_jax_step(module, x, labels) for module in (model.flax(), by_hand(nnx.Rngs(0)))]
    steps.append(make_torch_step(model.module().train(), x, labels))
    turns = []
    for turn in range(-3, rounds):
        order = (0, 1, 2) if turn % 2 else (1, 0, 2)
        times = {side: measure_time(steps[side]) for side in order}
        turns.append([times[side] for side in range(3)])
    print(json.dumps(turns[3:]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
