"""The objectives of specs/training for policies and values, as plain PyTorch, written from their papers."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from tests.training.plain_training import SAMPLES, WIDTH, Arrays, Batch, Block, Plain, Recipe, SeveralLosses, Turn, make_mlp


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


POLICIES = {
    "dqn": Recipe(make_transitions, Dqn, WIDTH | {"copy_every": 7}, torch.optim.Adam, frozen=("target.",)),
    "ppo": Recipe(
        make_rollouts,
        Ppo,
        WIDTH,
        partial(torch.optim.Adam, eps=1e-5),
        (Turn("loss", "", 3e-4),),
        clip=0.5,
    ),
    "actor_critic": Recipe(
        make_transitions, ActorCritic, WIDTH, torch.optim.Adam, (Turn("critic_loss", "critic.", 3e-3), Turn("actor_loss", "actor.", 1e-3))
    ),
    "dpo": Recipe(make_texts, Dpo, {"width": 8, "vocabulary": 11}, torch.optim.AdamW, frozen=("reference.",)),
}
