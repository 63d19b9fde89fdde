"""More objectives of specs/training as plain PyTorch, written from their papers."""

from __future__ import annotations

import math
from collections import OrderedDict
from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_objectives import (
    SAMPLES,
    SIZES,
    WIDTH,
    Arrays,
    Batch,
    Block,
    Plain,
    Recipe,
    Siamese,
    Turn,
    make_mlp,
    make_points,
    make_views,
)


class FlowMatching(Plain):
    """Liu et al. (2023), equation 1; Lipman et al. (2023), equation 23, for a deviation of 0 at the end."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.network = make_mlp(3, width, width, width, 2, activation=nn.SiLU)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        start, end, time = batch["noise"], batch["data_point"], batch["time"][:, None]
        velocity = self.network(torch.cat((torch.lerp(start, end, time), time), dim=1))
        return {"loss": ((end - start - velocity) ** 2).mean()}


class LanguageModel(nn.Module):
    """Logits for the next token."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.words, self.gru, self.head = nn.Embedding(11, width), nn.GRU(width, width, batch_first=True), nn.Linear(width, 11)

    def forward(self, tokens: Tensor) -> Tensor:
        logits: Tensor = self.head(self.gru(self.words(tokens))[0])
        return logits


class Dpo(Plain):
    """Rafailov et al. (2023), equation 7."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.policy, self.reference = LanguageModel(width), LanguageModel(width)

    def begin_step(self, step: int) -> None:
        if step == 0:
            self.reference.load_state_dict(self.policy.state_dict())

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        ratios = {}
        for name in ("chosen", "rejected"):
            targets = batch[f"{name}_targets"]
            kept = targets != -100
            index = targets.clamp(min=0)[..., None]
            policy = self.policy(batch[name]).log_softmax(-1).gather(-1, index)[..., 0]
            with torch.no_grad():
                reference = self.reference(batch[name]).log_softmax(-1).gather(-1, index)[..., 0]
            ratios[name] = ((policy - reference) * kept).sum(1)
        return {"loss": -F.logsigmoid(0.1 * ratios["chosen"] - 0.1 * ratios["rejected"]).mean()}


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


def make_texts(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    """The first two positions are a prompt, and some texts end early."""
    columns = {}
    for name in ("chosen", "rejected"):
        tokens = generator.integers(0, 11, (samples, 8))
        targets = tokens[:, 1:].copy()
        targets[:, :2] = -100
        targets[::3, 5:] = -100
        columns |= {name: tokens[:, :-1], f"{name}_targets": targets}
    return columns


def make_partial_labels(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    label = np.where(np.arange(samples) % 4 == 0, generator.integers(0, 10, samples), -100)
    return {"image": generator.random((samples, 6), np.float32), "label": label}


MORE = {
    "flow_matching": Recipe(
        partial(make_points, name="data_point"),
        FlowMatching,
        WIDTH,
        torch.optim.Adam,
        (Turn("loss", "", 2e-3),),
        cosine=True,
    ),
    "dino": Recipe(make_views, Dino, SIZES | {"scores": 5}, torch.optim.AdamW, frozen=("teacher.", "center")),
    "dpo": Recipe(make_texts, Dpo, {"width": 8, "vocabulary": 11}, torch.optim.AdamW, frozen=("reference.",)),
    "mean_teacher": Recipe(
        make_partial_labels,
        MeanTeacher,
        SIZES,
        torch.optim.Adam,
        frozen=("teacher.",),
        vary=lambda step: {"ramp": torch.tensor(min(step / 200, 1.0))},
    ),
}
