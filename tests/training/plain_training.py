"""What the plain PyTorch loops of specs/training share: a module that returns losses, data for it, and the loop."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

SAMPLES = 16
Batch = dict[str, Tensor]
Arrays = dict[str, np.ndarray]
SIZES: dict[str, object] = {"size": 6, "width": 8}
WIDTH: dict[str, object] = {"width": 8}


class Plain(nn.Module):
    """A network, under the keys of its spec, whose call returns the losses of a batch. Most have hidden layers of a chosen width."""

    def begin_step(self, step: int) -> None:
        """Do what comes before a step."""

    def end_step(self, step: int) -> None:
        """Do what comes after a step."""

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        raise NotImplementedError

    def compute_loss(self, name: str, batch: Batch) -> Tensor:
        """Compute one of the losses alone."""
        return self(batch)[name]


class SeveralLosses(Plain):
    """Losses that take turns, each with a method of its name."""

    losses: tuple[str, ...]

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return {name: self.compute_loss(name, batch) for name in self.losses}

    def compute_loss(self, name: str, batch: Batch) -> Tensor:
        loss: Tensor = getattr(self, name)(batch)
        return loss


class Turn(NamedTuple):
    """A loss, the beginning of the names that it trains, and its learning rate."""

    loss: str
    prefix: str
    lr: float


class Recipe(NamedTuple):
    """Data for a spec, by a generator and a number of samples; the plain module, of a width; the spec's parameters in the test, which have
    the same width; and the optimizer of the plain loop."""

    make_data: Callable[..., Arrays]
    make_plain: Callable[..., Plain]
    params: dict[str, object]
    make_optimizer: Callable[..., torch.optim.Optimizer]
    turns: tuple[Turn, ...] = (Turn("loss", "", 1e-3),)
    section: str | None = None
    frozen: tuple[str, ...] = ()
    clip: float | None = None
    cosine: bool = False
    vary: Callable[[int], Batch] = lambda step: {}


def make_mlp(*widths: int, activation: type[nn.Module] = nn.ReLU) -> nn.Sequential:
    """A network under the keys of a group of stages."""
    layers = [layer for before, after in pairwise(widths) for layer in (nn.Linear(before, after), activation())]
    return nn.Sequential(*layers[:-1])


class Block(nn.Module):
    """The same under the keys of a block, with a method as in PyTorch's tutorial of deep Q-learning."""

    def __init__(self, *widths: int) -> None:
        super().__init__()
        for number, (before, after) in enumerate(pairwise(widths), 1):
            self.add_module(f"dense{number}", nn.Linear(before, after))

    def forward(self, x: Tensor) -> Tensor:
        *hidden, last = self.children()
        for layer in hidden:
            x = F.relu(layer(x))
        scores: Tensor = last(x)
        return scores


def make_views(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return {"image": generator.random((samples, 6), np.float32)}


def make_labels(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return make_views(generator, samples) | {"label": generator.integers(0, 10, samples)}


def make_points(generator: np.random.Generator, samples: int = SAMPLES, name: str = "real") -> Arrays:
    return {name: generator.normal(size=(samples, 2)).astype(np.float32)}


def list_trained(recipe: Recipe, plain: Plain, turn: Turn) -> list[str]:
    """The names of the parameters that a loss trains."""
    names = [name for name, _ in plain.named_parameters() if name.startswith(turn.prefix)]
    return [name for name in names if not any(map(name.startswith, recipe.frozen))]


def make_plain_step(recipe: Recipe, plain: Plain, steps: int, **options: object) -> Callable[[int, Batch], None]:
    """Make the training step of the plain module as its paper says: the losses in turn. It takes its number and a batch. `options` are for
    the optimizer."""
    parameters = dict(plain.named_parameters())
    trained = {turn: [parameters[name] for name in list_trained(recipe, plain, turn)] for turn in recipe.turns}
    optimizers = {turn: recipe.make_optimizer(parameters, lr=turn.lr, **options) for turn, parameters in trained.items()}
    plain.train().requires_grad_(False)
    for parameter in trained[recipe.turns[0]]:
        parameter.requires_grad_(True)

    def train_step(step: int, batch: Batch) -> None:
        turn = recipe.turns[step % len(recipe.turns)]
        if len(trained) > 1:
            for loss, parameters in trained.items():
                for parameter in parameters:
                    parameter.requires_grad_(loss == turn)
        if recipe.cosine:
            optimizers[turn].param_groups[0]["lr"] = turn.lr * (1 + math.cos(math.pi * step / steps)) / 2
        plain.begin_step(step)
        optimizers[turn].zero_grad()
        plain.compute_loss(turn.loss, batch).backward()  # type: ignore[no-untyped-call]
        if recipe.clip is not None:
            torch.nn.utils.clip_grad_norm_(trained[turn], recipe.clip)
        optimizers[turn].step()
        plain.end_step(step)

    return train_step


def train_plainly(recipe: Recipe, plain: Plain, batches: list[Batch]) -> None:
    """Train the module, one step for each batch."""
    train_step = make_plain_step(recipe, plain, len(batches))
    for step, batch in enumerate(batches):
        train_step(step, batch)
