"""The objectives of specs/training as plain PyTorch, written from their papers: a module with its losses, and data for it."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

SAMPLES = 16
Batch = dict[str, Tensor]
Arrays = dict[str, np.ndarray]


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


sgd = partial(torch.optim.SGD, momentum=0.9, weight_decay=1e-4)


class Gan(SeveralLosses):
    """Goodfellow et al. (2014), Algorithm 1 and the last paragraph of section 3."""

    losses = ("discriminator_loss", "generator_loss")

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.discriminator, self.generator = make_mlp(2, width, width, 1), make_mlp(2, width, width, 2)

    def discriminator_loss(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            fake = self.generator(batch["noise"])
        real_score, fake_score = self.discriminator(batch["real"]), self.discriminator(fake)
        ones, zeros = torch.ones_like(real_score), torch.zeros_like(real_score)
        return F.binary_cross_entropy_with_logits(real_score, ones) + F.binary_cross_entropy_with_logits(fake_score, zeros)

    def generator_loss(self, batch: Batch) -> Tensor:
        fake_score = self.discriminator(self.generator(batch["noise"]))
        return F.binary_cross_entropy_with_logits(fake_score, torch.ones_like(fake_score))


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


class VqVae(Plain):
    """Van den Oord et al. (2017), equations 1 to 3."""

    def __init__(self, width: int = 6) -> None:
        super().__init__()
        self.codebook = nn.Parameter(torch.zeros(8, 4))
        convolutions = nn.Conv2d(1, width, 4, 2, 1), nn.Conv2d(width, width, 4, 2, 1), nn.Conv2d(width, 4, 1)
        self.encoder = nn.Sequential(convolutions[0], nn.ReLU(), convolutions[1], nn.ReLU(), convolutions[2])
        self.decoder = nn.Sequential(nn.ConvTranspose2d(4, width, 4, 2, 1), nn.ReLU(), nn.ConvTranspose2d(width, 1, 4, 2, 1))

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        encoded = self.encoder(batch["image"]).permute(0, 2, 3, 1)
        with torch.no_grad():
            code = (encoded[..., None, :] - self.codebook).pow(2).sum(-1).argmin(-1)
        quantized = self.codebook[code]
        straight = encoded + (quantized - encoded).detach()
        error = F.mse_loss(self.decoder(straight.permute(0, 3, 1, 2)), batch["image"])
        codebook_loss, commitment_loss = F.mse_loss(quantized, encoded.detach()), F.mse_loss(encoded, quantized.detach())
        return {"loss": error + codebook_loss + 0.25 * commitment_loss, "error": error}


class AnnealedVae(Plain):
    """Kingma and Welling (2013), with the weight of Bowman et al. (2016), section 3.1."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.encoder = nn.Linear(6, width)
        self.mean, self.log_variance = nn.Linear(width, 3), nn.Linear(width, 3)
        self.decoder = make_mlp(3, width, 6)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        h = F.relu(self.encoder(batch["image"]))
        mean, log_variance = self.mean(h), self.log_variance(h)
        logits = self.decoder(mean + batch["noise"] * (0.5 * log_variance).exp())
        error = F.binary_cross_entropy_with_logits(logits, batch["image"], reduction="sum") / len(logits)
        prior, posterior = torch.distributions.Normal(0, 1), torch.distributions.Normal(mean, (0.5 * log_variance).exp())
        kl = torch.distributions.kl_divergence(posterior, prior).sum(1).mean()
        return {"loss": error + batch["weight"] * kl, "error": error, "kl": kl}


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


class Dqn(Plain):
    """Mnih et al. (2015), Algorithm 1, where the error is clipped to -1 to 1."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.online, self.target = Block(4, width, width, 2), Block(4, width, width, 2)

    def begin_step(self, step: int) -> None:
        if step % 7 == 0:
            self.target.load_state_dict(self.online.state_dict())

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        value = self.online(batch["state"])[torch.arange(len(batch["action"])), batch["action"]]
        with torch.no_grad():
            best = self.target(batch["next_state"]).amax(1)
            goal = torch.where(batch["done"] > 0, batch["reward"], batch["reward"] + 0.99 * best)
        return {"loss": F.smooth_l1_loss(value, goal)}


class Ppo(Plain):
    """Schulman et al. (2017), equations 7 and 9."""

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.actor = make_mlp(4, width, width, 2, activation=nn.Tanh)
        self.critic = make_mlp(4, width, width, 1, activation=nn.Tanh)

    def forward(self, batch: Batch) -> dict[str, Tensor]:
        policy = torch.distributions.Categorical(logits=self.actor(batch["state"]))
        ratio = (policy.log_prob(batch["action"]) - batch["old_log_probability"]).exp()
        gain = torch.min(ratio * batch["advantage"], ratio.clamp(0.8, 1.2) * batch["advantage"]).mean()
        value_loss = (self.critic(batch["state"]).squeeze(1) - batch["observed_return"]).pow(2).mean()
        entropy = policy.entropy().mean()
        return {"loss": -gain + 0.5 * value_loss - 0.01 * entropy, "gain": gain, "value_loss": value_loss, "entropy": entropy}


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


class ActorCritic(SeveralLosses):
    """Mnih et al. (2016), Algorithm S3 with one step, and the two steps of Konda and Tsitsiklis (2000) in turn."""

    losses = ("critic_loss", "actor_loss")

    def __init__(self, width: int = 8) -> None:
        super().__init__()
        self.actor, self.critic = make_mlp(4, width, 2, activation=nn.Tanh), make_mlp(4, width, 1, activation=nn.Tanh)

    @torch.no_grad()
    def expect(self, batch: Batch) -> Tensor:
        expected: Tensor = batch["reward"] + 0.99 * (1 - batch["done"]) * self.critic(batch["next_state"]).squeeze(1)
        return expected

    def critic_loss(self, batch: Batch) -> Tensor:
        return (self.expect(batch) - self.critic(batch["state"]).squeeze(1)).pow(2).mean()

    def actor_loss(self, batch: Batch) -> Tensor:
        with torch.no_grad():
            advantage = self.expect(batch) - self.critic(batch["state"]).squeeze(1)
        policy = torch.distributions.Categorical(logits=self.actor(batch["state"]))
        return -(policy.log_prob(batch["action"]) * advantage).mean()


def make_views(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return {"image": generator.random((samples, 6), np.float32)}


def make_labels(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return make_views(generator, samples) | {"label": generator.integers(0, 10, samples)}


def make_targets(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return make_labels(generator, samples) | {"target": generator.normal(size=samples).astype(np.float32)}


def make_transitions(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    states = generator.normal(size=(2, samples, 4)).astype(np.float32)
    return {
        "state": states[0],
        "next_state": states[1],
        "action": generator.integers(0, 2, samples),
        "reward": generator.normal(size=samples).astype(np.float32),
        "done": (generator.random(samples) < 0.3).astype(np.float32),
    }


def make_rollouts(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    """Some old probabilities are far from one half, so that some ratios are clipped."""
    return {
        "state": generator.normal(size=(samples, 4)).astype(np.float32),
        "action": generator.integers(0, 2, samples),
        "old_log_probability": np.log(generator.uniform(0.3, 0.9, samples)).astype(np.float32),
        "advantage": generator.normal(size=samples).astype(np.float32),
        "observed_return": generator.normal(size=samples).astype(np.float32),
    }


def make_points(generator: np.random.Generator, samples: int = SAMPLES, name: str = "real") -> Arrays:
    return {name: generator.normal(size=(samples, 2)).astype(np.float32)}


def make_pictures(generator: np.random.Generator, samples: int = SAMPLES) -> Arrays:
    return {"image": generator.random((samples, 1, 8, 8), np.float32)}


SIZES: dict[str, object] = {"size": 6, "width": 8}
WIDTH: dict[str, object] = {"width": 8}
SLOWER = (Turn("loss", "", 0.05),)
ADAPTED = ("hidden.weight", "hidden.bias", "head.weight", "head.bias")
RECIPES = {
    "gan": Recipe(
        make_points,
        Gan,
        WIDTH,
        partial(torch.optim.Adam, betas=(0.5, 0.999)),
        (Turn("discriminator_loss", "discriminator.", 1e-3), Turn("generator_loss", "generator.", 1e-3)),
    ),
    "byol": Recipe(make_views, Byol, SIZES | {"latent": 4}, sgd, SLOWER, frozen=("target.",), cosine=True),
    "simsiam": Recipe(make_views, SimSiam, SIZES | {"bottleneck": 4}, sgd, SLOWER, cosine=True),
    "vq_vae": Recipe(make_pictures, VqVae, {"codes": 8, "width": 6, "features": 4}, torch.optim.Adam),
    "vae_annealed": Recipe(
        make_views, AnnealedVae, SIZES | {"latent": 3}, torch.optim.Adam, vary=lambda step: {"weight": torch.tensor(min(step / 1000, 1.0))}
    ),
    "distillation": Recipe(make_labels, Distillation, {"size": 6}, torch.optim.Adam, section="student", frozen=("teacher.",)),
    "kendall": Recipe(make_targets, Kendall, SIZES, torch.optim.Adam),
    "dqn": Recipe(make_transitions, Dqn, WIDTH | {"copy_every": 7}, torch.optim.Adam, frozen=("target.",)),
    "ppo": Recipe(
        make_rollouts,
        Ppo,
        WIDTH,
        partial(torch.optim.Adam, eps=1e-5),
        (Turn("loss", "", 3e-4),),
        clip=0.5,
    ),
    "lora": Recipe(make_labels, Lora, SIZES, torch.optim.AdamW, frozen=ADAPTED),
    "dora": Recipe(make_labels, partial(Lora, decomposed=True), SIZES, torch.optim.AdamW, frozen=ADAPTED),
    "actor_critic": Recipe(
        make_transitions, ActorCritic, WIDTH, torch.optim.Adam, (Turn("critic_loss", "critic.", 3e-3), Turn("actor_loss", "actor.", 1e-3))
    ),
}


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
