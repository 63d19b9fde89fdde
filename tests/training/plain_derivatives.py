"""The objectives of specs/training whose losses have derivatives, as plain PyTorch, written from their papers."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_objectives import SAMPLES, Batch, Plain, Recipe, Turn, adam, make_mlp

Arrays = dict[str, np.ndarray]


def differentiate(y: Tensor, x: Tensor) -> Tensor:
    (gradient,) = torch.autograd.grad(y.sum(), x, create_graph=True)
    return gradient


class WassersteinGan(Plain):
    """Gulrajani et al. (2017), Algorithm 1."""

    def __init__(self) -> None:
        super().__init__()
        self.critic, self.generator = make_mlp(2, 8, 8, 1), make_mlp(2, 8, 8, 2)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        real, fake = batch["real"], self.generator(batch["noise"])
        between = (batch["mix"] * fake + (1 - batch["mix"]) * real).detach().requires_grad_()
        penalty = (differentiate(self.critic(between), between).norm(2, dim=1) - 1) ** 2
        critic_loss = (self.critic(fake.detach()) - self.critic(real)).mean() + 0.1 * penalty.mean()
        return {"critic_loss": critic_loss, "generator_loss": -self.critic(fake).mean()}


class Heat(Plain):
    """Raissi et al. (2019), equation 4, for u_t = 0.1 u_xx, with the trial solution of Lagaris et al. (1998), section 4."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_mlp(2, 8, 8, 1, activation=nn.Tanh)

    def solve(self, x: Tensor, t: Tensor) -> Tensor:
        return torch.sin(math.pi * x) + t * x * (1 - x) * self.network(torch.cat((x, t), dim=1))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x, t = (batch[name].clone().requires_grad_() for name in ("place", "time"))
        u = self.solve(x, t)
        residual = differentiate(u, t) - 0.1 * differentiate(differentiate(u, x), x)
        return {"loss": (residual**2).mean()}


class Score(Plain):
    """Song et al. (2019), equation 8."""

    def __init__(self) -> None:
        super().__init__()
        self.network = make_mlp(2, 8, 8, 2, activation=nn.Softplus)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        x, v = batch["x"].clone().requires_grad_(), batch["direction"]
        score = self.network(x)
        slope = differentiate((v * score).sum(), x)
        return {"loss": ((v * slope).sum(1) + 0.5 * score.norm(dim=1) ** 2).mean()}


class Forces(Plain):
    """Schütt et al. (2017), equations 4 and 5: forces as derivatives, and a loss of both."""

    def __init__(self) -> None:
        super().__init__()
        self.pair = make_mlp(8, 8, 1, activation=nn.SiLU)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        position = batch["position"].clone().requires_grad_()
        energies = []
        for sample in position:
            distance = torch.sqrt(((sample[:, None] - sample[None, :]) ** 2).sum(-1) + 1e-4)
            basis = torch.exp(-4 * (distance[..., None] - 0.5 * torch.arange(8)) ** 2)
            energies.append(self.pair(basis).sum())
        energy = torch.stack(energies)
        force = -differentiate(energy, position)
        return {"loss": 0.1 * F.mse_loss(energy, batch["known_energy"]) + F.mse_loss(force, batch["known_force"])}


def make_atoms(generator: np.random.Generator) -> Arrays:
    shapes: dict[str, tuple[int, ...]] = {"position": (5, 3), "known_energy": (), "known_force": (5, 3)}
    return {name: generator.normal(size=(SAMPLES, *shape)).astype(np.float32) for name, shape in shapes.items()}


def make_points(name: str) -> Arrays:
    return {name: np.random.default_rng(3).normal(size=(SAMPLES, 2)).astype(np.float32)}


WIDTH: dict[str, object] = {"width": 8}
DERIVATIVES = {
    "wgan_gp": Recipe(
        lambda generator: make_points("real"),
        WassersteinGan,
        WIDTH,
        lambda parameters, lr: torch.optim.Adam(parameters, lr=lr, betas=(0.5, 0.9)),
        (*[Turn("critic_loss", "critic.", 5e-4)] * 5, Turn("generator_loss", "generator.", 5e-4)),
    ),
    "heat": Recipe(
        lambda generator: {"place": generator.random((SAMPLES, 1), np.float32)},
        Heat,
        WIDTH,
        adam,
        (Turn("loss", "", 3e-3),),
        cosine=True,
    ),
    "score": Recipe(lambda generator: make_points("x"), Score, WIDTH, adam),
    "forces": Recipe(make_atoms, Forces, WIDTH, adam),
}
