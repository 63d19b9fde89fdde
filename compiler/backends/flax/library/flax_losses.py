"""Losses: definitions for the files of Flax."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp

from .flax_indexing import vector_norm


def reduce_loss(losses: jax.Array, reduction: str) -> jax.Array:
    """The mean or the sum of losses, or all of them."""
    return losses.mean() if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def nll_loss(
    x: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> jax.Array:
    """The negative log likelihood of classes. x: [N, C, ...], target: [N, ...] -> [] or, unreduced, [N, ...]."""
    axis = min(x.ndim - 1, 1)
    kept = target != ignore_index
    labels = jnp.where(kept, target, 0)
    scales = jnp.where(kept, 1 if weight is None else weight[labels], 0).astype(x.dtype)
    losses = -jnp.take_along_axis(x, jnp.expand_dims(labels, axis), axis).squeeze(axis) * scales
    losses = jnp.where(kept, losses, 0)
    return losses.sum() / scales.sum() if reduction == "mean" else reduce_loss(losses, reduction)


def cross_entropy(
    x: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> jax.Array:
    """The cross entropy of classes or of their probabilities. x: [N, C, ...], target: [N, ...] or [N, C, ...]."""
    axis = min(x.ndim - 1, 1)
    logs = jax.nn.log_softmax(x, axis)
    weighed = logs if weight is None else logs * weight.reshape(-1, *[1] * (x.ndim - 1 - axis))
    if target.ndim == x.ndim:
        smoothed = target * (1 - label_smoothing) + label_smoothing / x.shape[axis]
        return reduce_loss(-(weighed * smoothed).sum(axis), reduction)
    known = nll_loss(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return known
    spread = jnp.where(target == ignore_index, 0, -weighed.sum(axis))
    if reduction != "none":
        spread = spread.sum()
    if reduction == "mean":
        spread = spread / -nll_loss(jnp.ones_like(x), target, weight, ignore_index, "sum")
    return known * (1 - label_smoothing) + spread * label_smoothing / x.shape[axis]


def binary_cross_entropy(x: jax.Array, target: jax.Array, weight: jax.Array | None = None, reduction: str = "mean") -> jax.Array:
    """The cross entropy of probabilities, whose logarithms are at least -100."""
    logs = jnp.maximum(jnp.log(x), -100), jnp.maximum(jnp.log1p(-x), -100)
    losses = -(target * logs[0] + (1 - target) * logs[1])
    return reduce_loss(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    x: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    pos_weight: jax.Array | None = None,
    reduction: str = "mean",
) -> jax.Array:
    """The cross entropy of the probabilities `sigmoid(x)`."""
    scale = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    losses = (1 - target) * x + scale * jax.nn.softplus(-x)
    return reduce_loss(losses if weight is None else losses * weight, reduction)


def kl_div(x: jax.Array, target: jax.Array, log_target: bool = False, reduction: str = "mean") -> jax.Array:
    """The Kullback-Leibler divergence of probabilities whose logarithms are `x`."""
    losses = jnp.exp(target) * (target - x) if log_target else jax.scipy.special.xlogy(target, target) - target * x
    return losses.sum() / len(x) if reduction == "batchmean" else reduce_loss(losses, reduction)


def weighted_loss(losses: jax.Array, weight: jax.Array | None, reduction: str) -> jax.Array:
    """The losses times weights. Their mean is divided by the sum of the weights."""
    if weight is None:
        return reduce_loss(losses, reduction)
    total = losses * weight
    return total.sum() / jnp.broadcast_to(weight, total.shape).sum() if reduction == "mean" else reduce_loss(total, reduction)


def l1_loss(x: jax.Array, target: jax.Array, weight: jax.Array | None = None, reduction: str = "mean") -> jax.Array:
    """The absolute difference."""
    return weighted_loss(jnp.abs(x - target), weight, reduction)


def mse_loss(x: jax.Array, target: jax.Array, weight: jax.Array | None = None, reduction: str = "mean") -> jax.Array:
    """The squared difference."""
    return weighted_loss(jnp.square(x - target), weight, reduction)


def smooth_l1_loss(x: jax.Array, target: jax.Array, beta: float = 1.0, reduction: str = "mean") -> jax.Array:
    """The squared difference below `beta`, and the absolute one above."""
    size = jnp.abs(x - target)
    if beta == 0:
        return reduce_loss(size, reduction)
    return reduce_loss(jnp.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta), reduction)


def huber_loss(x: jax.Array, target: jax.Array, weight: jax.Array | None = None, delta: float = 1.0, reduction: str = "mean") -> jax.Array:
    """Half the squared difference up to `delta`, and `delta` times the absolute one above."""
    size = jnp.abs(x - target)
    return weighted_loss(jnp.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta)), weight, reduction)


def poisson_nll_loss(
    x: jax.Array,
    target: jax.Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> jax.Array:
    """The negative log likelihood of counts."""
    losses = jnp.exp(x) - target * x if log_input else x - target * jnp.log(x + eps)
    if full:
        safe = jnp.where(target > 1, target, 1)
        stirling = safe * jnp.log(safe) - safe + 0.5 * jnp.log(2 * math.pi * safe)
        losses = losses + jnp.where(target > 1, stirling, 0)
    return reduce_loss(losses, reduction)


def gaussian_nll_loss(
    x: jax.Array,
    target: jax.Array,
    var: jax.Array | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> jax.Array:
    """The negative log likelihood of a normal distribution, with a variance for each number or each sample."""
    var = jnp.asarray(var, x.dtype)
    if 0 < var.ndim < x.ndim:
        var = var[..., None]
    limited = var + jax.lax.stop_gradient(jnp.maximum(var, eps) - var)
    losses = 0.5 * (jnp.log(limited) + jnp.square(x - target) / limited)
    return reduce_loss(losses + (0.5 * math.log(2 * math.pi) if full else 0), reduction)


def hinge_embedding_loss(x: jax.Array, target: jax.Array, margin: float = 1.0, reduction: str = "mean") -> jax.Array:
    """The distance of equal pairs, and how far others are below the margin."""
    apart = jnp.where(target == 1, 0, jax.nn.relu(margin - x))
    return reduce_loss(apart + jnp.where(target == -1, 0, x), reduction)


def margin_ranking_loss(x1: jax.Array, x2: jax.Array, target: jax.Array, margin: float = 0, reduction: str = "mean") -> jax.Array:
    """How far the first is not above (1) or below (-1) the second by the margin."""
    return reduce_loss(jax.nn.relu(-target * (x1 - x2) + margin), reduction)


def soft_margin_loss(x: jax.Array, target: jax.Array, reduction: str = "mean") -> jax.Array:
    """The logistic loss of two classes, 1 and -1."""
    return reduce_loss(jax.nn.softplus(-target * x), reduction)


def cosine_embedding_loss(x1: jax.Array, x2: jax.Array, target: jax.Array, margin: float = 0, reduction: str = "mean") -> jax.Array:
    """One minus the cosine of equal pairs, and how far others are above the margin."""
    norms = (jnp.square(x1).sum(-1) + 1e-12) * (jnp.square(x2).sum(-1) + 1e-12)
    cosine = (x1 * x2).sum(-1) / jnp.sqrt(norms)
    zero = jnp.zeros_like(cosine)
    losses = jnp.where(target == 1, 1 - cosine, zero) + jnp.where(target == -1, jax.nn.relu(cosine - margin), zero)
    return reduce_loss(losses, reduction)


def triplet_margin_loss(
    anchor: jax.Array,
    positive: jax.Array,
    negative: jax.Array,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> jax.Array:
    """How far the positive is not nearer to the anchor than the negative by the margin."""

    def distance(a: jax.Array, b: jax.Array) -> jax.Array:
        return vector_norm(a - b + eps, p, -1)

    far = distance(anchor, negative)
    if swap:
        far = jnp.minimum(far, distance(positive, negative))
    return reduce_loss(jax.nn.relu(margin + distance(anchor, positive) - far), reduction)


def multi_margin_loss(
    x: jax.Array,
    target: jax.Array,
    weight: jax.Array | None = None,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> jax.Array:
    """How far the class is not above all others by the margin. x: [N, C] or [C]."""
    own = jnp.take_along_axis(x, target[..., None], -1)
    gaps = jax.nn.relu(margin - own + x) ** p
    gaps = gaps if weight is None else gaps * weight[target][..., None]
    others = jnp.arange(x.shape[-1]) != target[..., None]
    return reduce_loss(jnp.where(others, gaps, 0).sum(-1) / x.shape[-1], reduction)


def multilabel_margin_loss(x: jax.Array, target: jax.Array, reduction: str = "mean") -> jax.Array:
    """How far classes are not above all others by 1. `target` lists them, up to a negative number. x: [N, C] or [C]."""
    listed = jnp.cumprod(target >= 0, axis=-1).astype(bool)
    labels = jnp.where(listed, target, 0)
    own = jnp.take_along_axis(x, labels, -1)
    is_target = (jax.nn.one_hot(labels, x.shape[-1], dtype=int) * listed[..., None]).sum(-2) > 0
    gaps = jax.nn.relu(1 - own[..., :, None] + x[..., None, :])
    used = listed[..., :, None] & ~is_target[..., None, :]
    return reduce_loss(jnp.where(used, gaps, 0).sum((-2, -1)) / x.shape[-1], reduction)


def multilabel_soft_margin_loss(x: jax.Array, target: jax.Array, weight: jax.Array | None = None, reduction: str = "mean") -> jax.Array:
    """The mean over classes of the cross entropy of `sigmoid(x)`."""
    losses = -(target * jax.nn.log_sigmoid(x) + (1 - target) * jax.nn.log_sigmoid(-x))
    return reduce_loss((losses if weight is None else losses * weight).mean(-1), reduction)


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
