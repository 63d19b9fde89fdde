"""Group, freeze and select parameters, let parameters follow others, and make the optimizer and its schedule."""

from __future__ import annotations

import itertools
from fnmatch import fnmatchcase as fnmatch
from typing import Any

import torch
from torch import nn

from .declared_names import FOLLOWED, FROZEN, GROUPS, LOSSES, TRAINED

# --- the file --------------------------------------------------------------------------------------------------------------


def make_parameter_groups(model: nn.Module) -> list[dict[str, Any]]:
    """Group the parameters by the options in GROUPS whose patterns match their names. Later patterns win."""
    groups: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            continue
        options: dict[str, Any] = {}
        for pattern, values in GROUPS:
            if fnmatch(name, pattern):
                options |= values
        group = groups.setdefault(tuple(sorted(options.items())), {"params": [], **options})
        group["params"].append(parameter)
    return list(groups.values())


def freeze_parameters(model: nn.Module) -> None:
    """Exclude the parameters whose names match a pattern in FROZEN from training."""
    for name, parameter in model.named_parameters():
        if any(fnmatch(name, pattern) for pattern in FROZEN):
            parameter.requires_grad_(False)


def select_loss(step: int) -> str:
    """Select the loss that a step minimizes: each in turn, as often as LOSSES says."""
    turns = [loss for loss, count in LOSSES.items() for _ in range(count)]
    return turns[step % len(turns)]


def select_trained(model: nn.Module) -> dict[str, list[nn.Parameter]]:  # if: losses
    """Select the parameters that each loss trains, by the patterns in TRAINED."""
    parameters = [(name, parameter) for name, parameter in model.named_parameters() if parameter.requires_grad]
    return {
        loss: [parameter for name, parameter in parameters if any(fnmatch(name, pattern) for pattern in patterns)]
        for loss, patterns in TRAINED.items()
    }


def require_gradients(trained: dict[str, list[nn.Parameter]], loss: str) -> None:
    """Let only the parameters that a loss trains require gradients."""
    for parameter in itertools.chain(*trained.values()):
        parameter.requires_grad_(False)
    for parameter in trained[loss]:
        parameter.requires_grad_(True)


Follower = tuple[nn.Parameter, nn.Parameter, float, int]


def pair_followers(model: nn.Module) -> list[Follower]:  # if: followed
    """Pair the parameters that follow others with these, and add the decay and the interval of the updates."""
    parameters = dict(model.named_parameters())
    pairs = []
    for follower, followed, decay, every in FOLLOWED:
        for name in [name for name in parameters if fnmatch(name, follower)]:
            rest = name.removeprefix(follower.removesuffix("*"))
            pairs.append((parameters[name], parameters[followed.removesuffix("*") + rest], decay, every))
    return pairs


@torch.no_grad()  # if: followed
def start_followers(followers: list[Follower]) -> None:  # if: followed
    """Set the parameters that follow others equal to these, before the first step."""
    for follower, followed, _, _ in followers:
        follower.copy_(followed)


@torch.no_grad()
def update_followers(followers: list[Follower], step: int) -> None:
    """Move the parameters that follow others towards these."""
    for follower, followed, decay, every in followers:
        if (step + 1) % every == 0:
            follower.lerp_(followed, 1 - decay)


class CombinedOptimizer(torch.optim.Optimizer):
    """Several optimizers as one. Each updates its own groups of parameters."""

    def __init__(self, optimizers: list[torch.optim.Optimizer]) -> None:
        super().__init__([group for optimizer in optimizers for group in optimizer.param_groups], {})
        self.optimizers = optimizers
        self.share_state()

    def share_state(self) -> None:
        """Give the optimizers the groups of this one, whose learning rates a schedule changes, and its state, which a checkpoint has."""
        groups = iter(self.param_groups)
        for optimizer in self.optimizers:
            optimizer.state = self.state
            optimizer.param_groups = [next(groups) for _ in optimizer.param_groups]

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict(state_dict)
        self.share_state()

    def step(self, closure: Any = None) -> Any:
        for optimizer in self.optimizers:
            optimizer.step()


# generated: make_optimizer


# generated: make_schedule
