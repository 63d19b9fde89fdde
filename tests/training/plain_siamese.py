"""The objectives of specs/training that compare two views of an image, as plain PyTorch, written from their papers."""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_training import SAMPLES, SIZES, Arrays, Batch, Block, Plain, Recipe, Turn, make_views

sgd = partial(torch.optim.SGD, momentum=0.9, weight_decay=1e-4)


class Siamese(Plain):
    """Two views of an image: each with its own noise."""

    def add_noise(self, batch: Batch) -> tuple[Tensor, Tensor]:
        return batch["image"] + 0.3 * batch["first_noise"], batch["image"] + 0.3 * batch["second_noise"]


def make_head(before: int, width: int, after: int, bias: bool = True) -> nn.Sequential:
    return nn.Sequential(nn.Linear(before, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, after, bias=bias))


class Projected(nn.Module):
    """An encoder and a projector."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*make_head(6, width, width), nn.ReLU())
        self.projector = make_head(width, width, 4)

    def forward(self, x: Tensor) -> Tensor:
        projected: Tensor = self.projector(self.encoder(x))
        return projected


class Byol(Siamese):
    """Grill et al. (2020), equations 1 and 2."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.online, self.predictor, self.target = Projected(width), make_head(4, width, 4), Projected(width)

    def begin_step(self, step: int) -> None:
        if step == 0:
            for follower, followed in zip(self.target.parameters(), self.online.parameters(), strict=True):
                follower.data.copy_(followed.data)

    def end_step(self, step: int) -> None:
        for follower, followed in zip(self.target.parameters(), self.online.parameters(), strict=True):
            follower.data.lerp_(followed.data, 0.01)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        first, second = self.add_noise(batch)
        guesses = [self.predictor(projected) for projected in (self.online(first), self.online(second))]
        with torch.no_grad():
            targets = [self.target(first), self.target(second)]
        loss = torch.zeros(())
        for guess, target in zip(guesses, targets[::-1], strict=True):
            difference = guess / guess.norm(dim=1, keepdim=True) - target / target.norm(dim=1, keepdim=True)
            loss = loss + difference.pow(2).sum(1).mean()
        return {"loss": loss}


class SimSiam(Siamese):
    """Chen and He (2021), Algorithm 1."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Sequential(*make_head(6, width, width), nn.ReLU())
        self.projector = nn.Sequential(*make_head(width, width, width, bias=False), nn.BatchNorm1d(width, affine=False))
        self.predictor = make_head(width, 4, width)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        z1, z2 = (self.projector(self.encoder(view)) for view in self.add_noise(batch))
        p1, p2 = self.predictor(z1), self.predictor(z2)

        def compare(p: Tensor, z: Tensor) -> Tensor:
            return -(F.normalize(p, dim=1) * F.normalize(z.detach(), dim=1)).sum(dim=1).mean()

        return {"loss": compare(p1, z2) / 2 + compare(p2, z1) / 2}


class MeanTeacher(Siamese):
    """Tarvainen and Valpola (2017), section 2 and the ramp of their section B.1."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.student, self.teacher = Block(6, width, width, 10), Block(6, width, width, 10)

    def begin_step(self, step: int) -> None:
        if step == 0:
            self.teacher.load_state_dict(self.student.state_dict())

    def end_step(self, step: int) -> None:
        for teacher, student in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            teacher.data.lerp_(student.data, 1 - 0.99)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        first, second = self.add_noise(batch)
        scores = self.student(first)
        with torch.no_grad():
            goal = self.teacher(second).softmax(1)
        labeled = batch["label"] >= 0
        error = F.cross_entropy(scores[labeled], batch["label"][labeled], reduction="sum") / len(labeled)
        disagreement = F.mse_loss(scores.softmax(1), goal)
        weight = math.exp(-5 * (1 - float(batch["ramp"])) ** 2)
        return {"loss": error + weight * disagreement, "error": error, "disagreement": disagreement}


class Dino(Siamese):
    """Caron et al. (2021), Algorithm 1, without the multi-crop."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.student, self.teacher = make_scorer(width), make_scorer(width)
        self.center = nn.Parameter(torch.zeros(5))
        self.scores = torch.zeros(0)

    def begin_step(self, step: int) -> None:
        if step == 0:
            self.teacher.load_state_dict(self.student.state_dict())

    def end_step(self, step: int) -> None:
        self.center.data = 0.9 * self.center.data + 0.1 * self.scores.mean(0)
        for teacher, student in zip(self.teacher.parameters(), self.student.parameters(), strict=True):
            teacher.data.lerp_(student.data, 1 - 0.996)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        views = self.add_noise(batch)
        guesses = [self.student(view) for view in views]
        with torch.no_grad():
            scores = [self.teacher(view) for view in views]
            self.scores = torch.cat(scores)
            targets = [F.softmax((score - self.center) / 0.04, dim=-1) for score in scores]
            distance = sum(((score - self.center) ** 2).sum(1).mean() for score in scores)
        errors = [-(t * F.log_softmax(s / 0.1, dim=-1)).sum(1).mean() for t, s in zip(targets, guesses[::-1], strict=True)]
        # `end_step` updates the center, so that its distance, a quarter of which is in the loss, has no gradient here
        return {"loss": sum(errors) / 2 + distance / 4}


def make_scorer(width: int) -> nn.Sequential:
    backbone = nn.Sequential(nn.Linear(6, width), nn.GELU(), nn.Linear(width, width), nn.GELU())
    return nn.Sequential(OrderedDict(backbone=backbone, head=nn.Linear(width, 5, bias=False)))


def make_partial_labels(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    label = np.where(np.arange(samples) % 4 == 0, generator.integers(0, 10, samples), -100)
    return {"image": generator.random((samples, 6), np.float32), "label": label}


SLOWER = (Turn("loss", "", 0.05),)
SIAMESE = {
    "byol": Recipe(make_views, Byol, SIZES | {"latent": 4}, sgd, SLOWER, frozen=("target.",), cosine=True),
    "simsiam": Recipe(make_views, SimSiam, SIZES | {"bottleneck": 4}, sgd, SLOWER, cosine=True),
    "mean_teacher": Recipe(
        make_partial_labels,
        MeanTeacher,
        SIZES,
        torch.optim.Adam,
        frozen=("teacher.",),
        vary=lambda step: {"ramp": torch.tensor(min(step / 200, 1.0))},
    ),
    "dino": Recipe(make_views, Dino, SIZES | {"scores": 5}, torch.optim.AdamW, frozen=("teacher.", "center")),
}
