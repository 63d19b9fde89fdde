"""Select parameters by name: groups of options, losses that train them, and parameters that follow others."""

# mypy: ignore-errors

from __future__ import annotations

from fnmatch import fnmatchcase as fnmatch
from typing import Any

import jax
import jax.numpy as jnp
import optax
from flax import nnx

# --- the file --------------------------------------------------------------------------------------------------------------


def name_parameters(parameters: Any) -> Any:
    """Return the names of parameters, such as `dense1.weight`, as a tree of the same structure."""

    def join(path: tuple[Any, ...], _: Any) -> str:
        return ".".join(str(key.key) for key in path if isinstance(key, jax.tree_util.DictKey))

    return jax.tree_util.tree_map_with_path(join, parameters)


def find_options(name: str) -> dict[str, Any]:
    """Return the options in GROUPS whose patterns match the name of a parameter. Later patterns win."""
    options: dict[str, Any] = {}
    for pattern, values in GROUPS:
        if fnmatch(name, pattern):
            options |= values
    return options


def list_turns() -> list[str]:
    """List the losses of the steps in a turn: each as often as LOSSES says."""
    return [loss for loss, count in LOSSES.items() for _ in range(count)]


def select_loss(step: int) -> str:
    """Select the loss that a step minimizes."""
    turns = list_turns()
    return turns[step % len(turns)]


def find_losses(name: str) -> list[str]:
    """Return the losses whose steps train a parameter, by the patterns in TRAINED."""
    return [loss for loss, patterns in TRAINED.items() if any(fnmatch(name, pattern) for pattern in patterns)]


def train_in_turns(transform: optax.GradientTransformation, losses: list[str]) -> optax.GradientTransformation:
    """Update only in the steps of some losses. Other steps leave the state of the optimizer as it is, too."""
    trains = [loss in losses for loss in list_turns()]
    return optax.transforms.conditionally_mask(transform, lambda step: jnp.array(trains)[step % len(trains)])


def label_losses(parameters: Any) -> Any:
    """Return the losses that train each parameter, and its options, as text. Parameters with the same text are one group."""
    return jax.tree.map(lambda name: repr((find_losses(name), find_options(name))), name_parameters(parameters))


def select_gradients(gradients: Any, loss: str) -> Any:
    """Return the gradients with zeros for the parameters that a loss does not train, so that they do not count in the norm."""
    return jax.tree.map(
        lambda name, gradient: gradient if loss in find_losses(name) else jnp.zeros_like(gradient), name_parameters(gradients), gradients
    )


def is_frozen(parameters: Any) -> Any:
    """Whether a pattern in FROZEN matches the name of each parameter."""
    return jax.tree.map(lambda name: any(fnmatch(name, pattern) for pattern in FROZEN), name_parameters(parameters))


def label_parameters(parameters: Any) -> Any:
    """Return the options of each parameter as text. Parameters with the same options are one group."""
    return jax.tree.map(lambda name: repr(find_options(name)), name_parameters(parameters))


def find_followed(name: str) -> tuple[str, float, int]:
    """Return the name of the parameter that a parameter follows, the decay, and the interval of the updates. A parameter
    that is trained follows itself."""
    for follower, followed, decay, every in FOLLOWED:
        if fnmatch(name, follower):
            return followed.removesuffix("*") + name.removeprefix(follower.removesuffix("*")), decay, every
    return name, 0.0, 1


@nnx.jit
def start_followers(model: nnx.Module) -> None:
    """Set the parameters that follow others equal to these, before the first step."""
    state = nnx.state(model, nnx.Param)
    names = name_parameters(state)
    values = dict(zip(jax.tree.leaves(names), jax.tree.leaves(state), strict=True))
    nnx.update(model, jax.tree.map(lambda name, value: values[find_followed(name)[0]], names, state))


@nnx.jit
def update_followers(model: nnx.Module, step: int) -> None:
    """Move the parameters that follow others towards these."""
    state = nnx.state(model, nnx.Param)
    names = name_parameters(state)
    values = dict(zip(jax.tree.leaves(names), jax.tree.leaves(state), strict=True))

    def move(name: str, value: jax.Array) -> jax.Array:
        followed, decay, every = find_followed(name)
        return jnp.where((step + 1) % every == 0, value + (1 - decay) * (values[followed] - value), value)

    nnx.update(model, jax.tree.map(move, names, state))
