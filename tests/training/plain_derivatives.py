"""The objectives of specs/training whose losses have derivatives, as plain PyTorch, written from their papers."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_training import SAMPLES, WIDTH, Arrays, Batch, Plain, Recipe, SeveralLosses, Turn, make_mlp, make_points


def differentiate(y: Tensor, x: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return gradient


class WassersteinGan(SeveralLosses):
    """Gulrajani et al. (2017), Algorithm 1."""

    losses = ("critic_loss", "generator_loss")

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.critic, self.generator = make_mlp(2, width, width, 1), make_mlp(2, width, width, 2)

    def critic_loss(self, batch: Batch) -> Tensor:
        real = batch["real"]
        with torch.no_grad():
            fake = self.generator(batch["noise"])
        between = (batch["mix"] * fake + (1 - batch["mix"]) * real).requires_grad_()
        penalty = (differentiate(self.critic(between), between).norm(2, dim=1) - 1) ** 2
        loss: Tensor = (self.critic(fake) - self.critic(real)).mean() + 0.1 * penalty.mean()
        return loss

    def generator_loss(self, batch: Batch) -> Tensor:
        loss: Tensor = -self.critic(self.generator(batch["noise"])).mean()
        return loss


class Heat(Plain):
    """Raissi et al. (2019), equation 4, for u_t = 0.1 u_xx, with the trial solution of Lagaris et al. (1998), section 4."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.network = make_mlp(2, width, width, 1, activation=nn.Tanh)

    def solve(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(math.pi * x) + t * x * (1 - x) * self.network(torch.cat((x, t), dim=1))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x, t = (batch[name].clone().requires_grad_() for name in ("place", "time"))
        u = self.solve(x, t)
        slope, change = torch.autograd.grad(u.sum(), (x, t), create_graph=True)
        residual = change - 0.1 * differentiate(slope, x)
        return {"loss": (residual**2).mean()}


class Score(Plain):
    """Song et al. (2019), equation 8."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.network = make_mlp(2, width, width, 2, activation=nn.Softplus)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x, v = batch["x"].clone().requires_grad_(), batch["direction"]
        score = self.network(x)
        slope = differentiate((v * score).sum(), x)
        return {"loss": ((v * slope).sum(1) + 0.5 * score.norm(dim=1) ** 2).mean()}


class Forces(Plain):
    """Schütt et al. (2017), equations 4 and 5: forces as derivatives, and a loss of both."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.pair = make_mlp(8, width, 1, activation=nn.SiLU)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        position = batch["position"].clone().requires_grad_()
        distance = torch.sqrt(((position[:, :, None] - position[:, None]) ** 2).sum(-1) + 1e-4)
        basis = torch.exp(-4 * (distance[..., None] - 0.5 * torch.arange(8)) ** 2)
        energy = self.pair(basis).sum((1, 2, 3))
        force = -differentiate(energy, position)
        return {"loss": 0.1 * F.mse_loss(energy, batch["known_energy"]) + F.mse_loss(force, batch["known_force"])}


def make_atoms(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    shapes: dict[str, tuple[int, ...]] = {"position": (5, 3), "known_energy": (), "known_force": (5, 3)}
    return {name: generator.normal(size=(samples, *shape)).astype(np.float32) for name, shape in shapes.items()}


def make_places(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return {"place": generator.random((samples, 1), np.float32)}


DERIVATIVES = {
    "wgan_gp": Recipe(
        make_points,
        WassersteinGan,
        WIDTH,
        partial(torch.optim.Adam, betas=(0.5, 0.9)),
        (*[Turn("critic_loss", "critic.", 5e-4)] * 5, Turn("generator_loss", "generator.", 5e-4)),
    ),
    "heat": Recipe(make_places, Heat, WIDTH, torch.optim.Adam, (Turn("loss", "", 3e-3),), cosine=True),
    "score": Recipe(partial(make_points, name="x"), Score, WIDTH, torch.optim.Adam),
    "forces": Recipe(make_atoms, Forces, WIDTH, torch.optim.Adam),
}
