"""The objectives of specs/training with labels or targets for each sample, as plain PyTorch, written from their papers."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_training import SAMPLES, SIZES, Arrays, Batch, Block, Plain, Recipe, make_labels, make_mlp


class Distillation(Plain):
    """Hinton et al. (2015), section 2: the soft gradients are multiplied by the square of the temperature."""

    def __init__(self) -> None:
        super().__init__()
        self.teacher, self.student = Block(6, 256, 256, 10), Block(6, 16, 16, 10)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        with torch.no_grad():
            soft_target = (self.teacher(batch["image"]) / 4).softmax(1)
        scores = self.student(batch["image"])
        divergence = (soft_target * (soft_target.log() - (scores / 4).log_softmax(1))).sum(1).mean()
        return {"loss": 16 * divergence + 0.1 * F.cross_entropy(scores, batch["label"])}


class Kendall(Plain):
    """Kendall et al. (2018), equation 10, with s = log of the variance."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.trunk = nn.Sequential(*make_mlp(6, width, width), nn.ReLU())
        self.classifier, self.regressor = nn.Linear(width, 10), nn.Linear(width, 1)
        self.class_log_variance, self.value_log_variance = nn.Parameter(torch.zeros(())), nn.Parameter(torch.zeros(()))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        h = self.trunk(batch["image"])
        class_loss = F.cross_entropy(self.classifier(h), batch["label"])
        value_loss = F.mse_loss(self.regressor(h)[:, 0], batch["target"])
        class_deviation, value_deviation = (0.5 * self.class_log_variance).exp(), (0.5 * self.value_log_variance).exp()
        loss = class_loss / class_deviation**2 + value_loss / (2 * value_deviation**2) + class_deviation.log() + value_deviation.log()
        return {"loss": loss, "class_loss": class_loss, "value_loss": value_loss}


class LoraLinear(nn.Linear):
    """Hu et al. (2021), equation 3; or Liu et al. (2024), equations 5 and 11."""

    def __init__(self, before: int, after: int, decomposed: bool) -> None:
        super().__init__(before, after)
        self.lora_A, self.lora_B = nn.Parameter(torch.zeros(4, before)), nn.Parameter(torch.zeros(after, 4))
        if decomposed:
            self.lora_magnitude = nn.Parameter(torch.zeros(after, 1))

    def forward(self, x: Tensor) -> Tensor:
        if not hasattr(self, "lora_magnitude"):
            return super().forward(x) + 2 * F.linear(F.linear(x, self.lora_A), self.lora_B)
        direction = self.weight + 2 * self.lora_B @ self.lora_A
        return F.linear(x, self.lora_magnitude * direction / direction.detach().square().sum(1, keepdim=True).sqrt(), self.bias)


class Lora(Plain):
    """A network whose layers have adapters."""

    def __init__(self, width: int = 8, decomposed: bool = False) -> None:
        super().__init__()
        self.hidden, self.head = LoraLinear(6, width, decomposed), LoraLinear(width, 10, decomposed)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        return {"loss": F.cross_entropy(self.head(F.relu(self.hidden(batch["image"]))), batch["label"])}


def make_targets(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return make_labels(generator, samples) | {"target": generator.normal(size=samples).astype(np.float32)}


ADAPTED = ("hidden.weight", "hidden.bias", "head.weight", "head.bias")
SUPERVISED = {
    "distillation": Recipe(make_labels, Distillation, {"size": 6}, torch.optim.Adam, section="student", frozen=("teacher.",)),
    "kendall": Recipe(make_targets, Kendall, SIZES, torch.optim.Adam),
    "lora": Recipe(make_labels, Lora, SIZES, torch.optim.AdamW, frozen=ADAPTED),
    "dora": Recipe(make_labels, partial(Lora, decomposed=True), SIZES, torch.optim.AdamW, frozen=ADAPTED),
}
