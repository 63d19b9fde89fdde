"""Losses: definitions for the files of Flax."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...python.array_library.array_losses import reduce_loss


def kl_div(x: jax.Array, target: jax.Array, log_target: bool = False, reduction: str = "mean") -> jax.Array:
    """The Kullback-Leibler divergence of probabilities whose logarithms are `x`."""
    losses = jnp.exp(target) * (target - x) if log_target else jax.scipy.special.xlogy(target, target) - target * x
    return losses.sum() / (x.shape[0] if x.ndim else 1) if reduction == "batchmean" else reduce_loss(losses, reduction)


def multilabel_margin_loss(x: jax.Array, target: jax.Array, reduction: str = "mean") -> jax.Array:
    """How far classes are not above all others by 1. `target` lists them, up to a negative number. x: [N, C] or [C]."""
    listed = jnp.cumprod(target >= 0, axis=-1).astype(bool)
    labels = jnp.where(listed, target, 0)
    own = jnp.take_along_axis(x, labels, -1)
    is_target = (jax.nn.one_hot(labels, x.shape[-1], dtype=int) * listed[..., None]).sum(-2) > 0
    gaps = 1 - own[..., :, None] + x[..., None, :]
    used = listed[..., :, None] & ~is_target[..., None, :] & (gaps > 0)  # nothing is missing where a gap is NaN
    return reduce_loss(jnp.where(used, gaps, 0).sum((-2, -1)) / x.shape[-1], reduction)


def ctc_loss(
    log_probs: jax.Array,
    targets: jax.Array,
    input_lengths: jax.Array,
    target_lengths: jax.Array,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: str = "mean",
) -> jax.Array:
    """The negative log likelihood of sequences, summed over all alignments.

    log_probs: [T, N, C], targets: [N, S] or all in a row, lengths: [N] -> [] or, unreduced, [N].
    """
    if log_probs.ndim == 2:
        options = (blank, zero_infinity, "none")
        lengths = input_lengths.reshape(1), target_lengths.reshape(1)
        losses = ctc_loss(log_probs[:, None], targets.reshape(1, -1), *lengths, *options)[0]
        return losses / jnp.maximum(target_lengths.reshape(()), 1) if reduction == "mean" else losses
    if targets.ndim == 1:
        starts = jnp.cumsum(target_lengths) - target_lengths
        places = starts[:, None] + jnp.arange(targets.shape[0])
        targets = targets[jnp.minimum(places, targets.shape[0] - 1)]
    n, size = targets.shape
    labels = jnp.full((n, 2 * size + 1), blank).at[:, 1::2].set(targets)
    skips = (labels != blank) & (labels != jnp.pad(labels, ((0, 0), (2, 0)), constant_values=-1)[:, :-2])
    # A large number instead of infinity, whose gradient is NaN.
    low = jnp.asarray(-1e30, log_probs.dtype)

    def step(scores: jax.Array, inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        logs, time = inputs
        one = jnp.pad(scores, ((0, 0), (1, 0)), constant_values=low)[:, :-1]
        two = jnp.where(skips, jnp.pad(scores, ((0, 0), (2, 0)), constant_values=low)[:, :-2], low)
        total = jax.nn.logsumexp(jnp.stack((scores, one, two)), axis=0) + jnp.take_along_axis(logs, labels, 1)
        return jnp.where((time < input_lengths)[:, None], jnp.maximum(total, low), scores), None

    start = jnp.full((n, 2 * size + 1), low).at[:, 0].set(0.0)
    start = jnp.where(jnp.arange(2 * size + 1) < 2, jnp.take_along_axis(log_probs[0], labels, 1), start.at[:, 0].set(low))
    scores, _ = jax.lax.scan(step, start, (log_probs[1:], jnp.arange(1, len(log_probs))))
    ends = 2 * target_lengths[:, None] - jnp.arange(2)
    last = jnp.take_along_axis(scores, jnp.maximum(ends, 0), 1)
    losses = -jax.nn.logsumexp(jnp.where(ends >= 0, last, low), axis=1)
    empty = jnp.where(target_lengths == 0, 0.0, jnp.inf).astype(losses.dtype)
    losses = jnp.where(input_lengths == 0, empty, losses)
    losses = jnp.where(losses > 1e29, 0.0 if zero_infinity else jnp.inf, losses)
    return (losses / jnp.maximum(target_lengths, 1)).mean() if reduction == "mean" else reduce_loss(losses, reduction)
