"""Losses."""

from __future__ import annotations

import math

from .array_words import Array, Int, fn, vector_norm, xp


def reduce_loss(losses: Array, reduction: str) -> Array:
    """The mean or the sum of losses, or all of them."""
    return xp.mean(losses) if reduction == "mean" else losses.sum() if reduction == "sum" else losses


def nll_loss(
    x: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
) -> Array:
    """The negative log likelihood of classes. x: [N, C, ...], target: [N, ...] -> [] or, unreduced, [N, ...]."""
    axis = min(x.ndim - 1, 1)
    kept = target != ignore_index
    labels = xp.where(kept, target, 0)
    scales = xp.where(kept, 1 if weight is None else weight[labels], 0).astype(x.dtype)
    losses = -xp.take_along_axis(x, xp.expand_dims(labels, axis), axis).squeeze(axis) * scales
    losses = xp.where(kept, losses, 0)
    if reduction != "mean":
        return reduce_loss(losses, reduction)
    total = scales.sum()
    # NaN if all are ignored, without a gradient.
    return xp.where(total == 0, xp.nan, losses.sum() / xp.where(total == 0, 1, total))


def cross_entropy(
    x: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    label_smoothing: float = 0.0,
    reduction: str = "mean",
) -> Array:
    """The cross entropy of classes or of their probabilities. x: [N, C, ...], target: [N, ...] or [N, C, ...]."""
    axis = min(x.ndim - 1, 1)
    logs = fn.log_softmax(x, axis)
    weighed = logs if weight is None else logs * weight.reshape(-1, *[1] * (x.ndim - 1 - axis))
    if target.ndim == x.ndim:
        smoothed = target * (1 - label_smoothing) + label_smoothing / x.shape[axis]
        return reduce_loss(-(weighed * smoothed).sum(axis), reduction)
    known = nll_loss(logs, target, weight, ignore_index, reduction)
    if not label_smoothing:
        return known
    spread = xp.where(target == ignore_index, 0, -weighed.sum(axis))
    if reduction != "none":
        spread = spread.sum()
    if reduction == "mean":
        total = -nll_loss(xp.ones_like(x), target, weight, ignore_index, "sum")
        spread = spread / xp.where(total == 0, 1, total)
    return known * (1 - label_smoothing) + spread * label_smoothing / x.shape[axis]


def binary_cross_entropy(x: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Array:
    """The cross entropy of probabilities, whose logarithms are at least -100.

    Its gradient is `(x - target) / (x * (1 - x))`, whose divisor is at least 1e-12.
    """

    def compute(x: Array) -> Array:
        return -(target * xp.maximum(xp.log(x), -100) + (1 - target) * xp.maximum(xp.log1p(-x), -100))

    x, dtype = x.astype(xp.promote_types(x.dtype, xp.float32)), x.dtype
    fixed = xp.stop_gradient(x)
    is_inner, step = fixed * (1 - fixed) > 1e-12, x - fixed  # the step is zero, and has a gradient
    outer = compute(fixed) + (fixed - target + step / 2) * step / 1e-12
    losses = xp.where(is_inner, compute(xp.where(is_inner, x, 0.5)), outer).astype(dtype)
    return reduce_loss(losses if weight is None else losses * weight, reduction)


def binary_cross_entropy_with_logits(
    x: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    reduction: str = "mean",
) -> Array:
    """The cross entropy of the probabilities `sigmoid(x)`."""
    scale = 1 if pos_weight is None else 1 + (pos_weight - 1) * target
    losses = (1 - target) * x + scale * fn.softplus(-x)
    return reduce_loss(losses if weight is None else losses * weight, reduction)


def kl_div(x: Array, target: Array, log_target: bool = False, reduction: str = "mean") -> Array:
    """The Kullback-Leibler divergence of probabilities whose logarithms are `x`."""
    if log_target:
        losses = xp.exp(target) * (target - x)
    else:
        losses = xp.where(target == 0, 0, target * xp.log(xp.where(target == 0, 1, target))) - target * x
    return losses.sum() / (x.shape[0] if x.ndim else 1) if reduction == "batchmean" else reduce_loss(losses, reduction)


def weighted_loss(losses: Array, weight: Array | None, reduction: str) -> Array:
    """The losses times weights. Their mean is divided by the sum of the weights."""
    if weight is None:
        return reduce_loss(losses, reduction)
    total = losses * weight
    return total.sum() / xp.broadcast_to(weight, total.shape).sum() if reduction == "mean" else reduce_loss(total, reduction)


def l1_loss(x: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Array:
    """The absolute difference."""
    return weighted_loss(xp.abs(x - target), weight, reduction)


def mse_loss(x: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Array:
    """The squared difference."""
    return weighted_loss(xp.square(x - target), weight, reduction)


def smooth_l1_loss(x: Array, target: Array, beta: float = 1.0, reduction: str = "mean") -> Array:
    """The squared difference below `beta`, and the absolute one above."""
    size = xp.abs(x - target)
    if beta == 0:
        return reduce_loss(size, reduction)
    return reduce_loss(xp.where(size < beta, 0.5 * size**2 / beta, size - 0.5 * beta), reduction)


def huber_loss(x: Array, target: Array, weight: Array | None = None, delta: float = 1.0, reduction: str = "mean") -> Array:
    """Half the squared difference up to `delta`, and `delta` times the absolute one above."""
    size = xp.abs(x - target)
    losses = xp.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))
    return reduce_loss(losses if weight is None else losses * weight, reduction)


def poisson_nll_loss(
    x: Array,
    target: Array,
    log_input: bool = True,
    full: bool = False,
    eps: float = 1e-8,
    reduction: str = "mean",
) -> Array:
    """The negative log likelihood of counts."""
    losses = xp.exp(x) - target * x if log_input else x - target * xp.log(x + eps)
    if full:
        safe = xp.where(target > 1, target, 1)
        stirling = safe * xp.log(safe) - safe + 0.5 * xp.log(2 * math.pi * safe)
        losses = losses + xp.where(target > 1, stirling, 0)
    return reduce_loss(losses, reduction)


def gaussian_nll_loss(
    x: Array,
    target: Array,
    var: Array | float,
    full: bool = False,
    eps: float = 1e-6,
    reduction: str = "mean",
) -> Array:
    """The negative log likelihood of a normal distribution, with a variance for each number or each sample."""
    var = xp.asarray(var, x.dtype)
    if 0 < var.ndim < x.ndim:
        var = var[..., None]
    limited = xp.where(var < eps, var + xp.stop_gradient(eps - var), var)
    losses = 0.5 * (xp.log(limited) + xp.square(x - target) / limited)
    return reduce_loss(losses + (0.5 * math.log(2 * math.pi) if full else 0), reduction)


def hinge_embedding_loss(x: Array, target: Array, margin: float = 1.0, reduction: str = "mean") -> Array:
    """The distance of equal pairs, and how far others are below the margin."""
    apart = xp.where(target == 1, 0, fn.relu(margin - x))
    return reduce_loss(apart + xp.where(target == -1, 0, x), reduction)


def margin_ranking_loss(x1: Array, x2: Array, target: Array, margin: float = 0, reduction: str = "mean") -> Array:
    """How far the first is not above (1) or below (-1) the second by the margin."""
    return reduce_loss(fn.relu(-target * (x1 - x2) + margin), reduction)


def soft_margin_loss(x: Array, target: Array, reduction: str = "mean") -> Array:
    """The logistic loss of two classes, 1 and -1."""
    return reduce_loss(fn.softplus(-target * x), reduction)


def cosine_embedding_loss(x1: Array, x2: Array, target: Array, margin: float = 0, reduction: str = "mean") -> Array:
    """One minus the cosine of equal pairs, and how far others are above the margin."""
    norms = (xp.square(x1).sum(-1) + 1e-12) * (xp.square(x2).sum(-1) + 1e-12)
    cosine = (x1 * x2).sum(-1) / xp.sqrt(norms)
    zero = xp.zeros_like(cosine)
    losses = xp.where(target == 1, 1 - cosine, zero) + xp.where(target == -1, fn.relu(cosine - margin), zero)
    return reduce_loss(losses, reduction)


def triplet_margin_loss(
    anchor: Array,
    positive: Array,
    negative: Array,
    margin: float = 1.0,
    p: float = 2,
    eps: float = 1e-6,
    swap: bool = False,
    reduction: str = "mean",
) -> Array:
    """How far the positive is not nearer to the anchor than the negative by the margin."""

    def distance(a: Array, b: Array) -> Array:
        return vector_norm(a - b + eps, p, -1)

    far = distance(anchor, negative)
    if swap:
        far = xp.minimum(far, distance(positive, negative))
    return reduce_loss(fn.relu(margin + distance(anchor, positive) - far), reduction)


def multi_margin_loss(
    x: Array,
    target: Array,
    weight: Array | None = None,
    p: int = 1,
    margin: float = 1.0,
    reduction: str = "mean",
) -> Array:
    """How far the class is not above all others by the margin. x: [N, C] or [C]."""
    own = xp.take_along_axis(x, target[..., None], -1)
    gaps = margin - own + x
    gaps = xp.where(gaps > 0, gaps, 0) ** p  # also of NaN, as between two infinite numbers, nothing is missing
    gaps = gaps if weight is None else gaps * weight[target][..., None]
    others = xp.arange(x.shape[-1]) != target[..., None]
    return reduce_loss(xp.where(others, gaps, 0).sum(-1) / x.shape[-1], reduction)


def multilabel_margin_loss(x: Array, target: Array, reduction: str = "mean") -> Array:
    """How far classes are not above all others by 1. `target` lists them, up to a negative number. x: [N, C] or [C]."""
    listed = xp.cumprod((target >= 0).astype(Int), axis=-1) == 1
    labels = xp.where(listed, target, 0)
    own = xp.take_along_axis(x, labels, -1)
    is_target = ((labels[..., None] == xp.arange(x.shape[-1])) & listed[..., None]).any(-2)
    gaps = 1 - own[..., :, None] + x[..., None, :]
    used = listed[..., :, None] & ~is_target[..., None, :] & (gaps > 0)  # nothing is missing where a gap is NaN
    return reduce_loss(xp.where(used, gaps, 0).sum((-2, -1)) / x.shape[-1], reduction)


def multilabel_soft_margin_loss(x: Array, target: Array, weight: Array | None = None, reduction: str = "mean") -> Array:
    """The mean over classes of the cross entropy of `sigmoid(x)`."""
    losses = -(target * fn.log_sigmoid(x) + (1 - target) * fn.log_sigmoid(-x))
    return reduce_loss((losses if weight is None else losses * weight).mean(-1), reduction)


def ctc_loss(
    log_probs: Array,
    targets: Array,
    input_lengths: Array,
    target_lengths: Array,
    blank: int = 0,
    zero_infinity: bool = False,
    reduction: str = "mean",
) -> Array:
    """The negative log likelihood of sequences, summed over all alignments.

    log_probs: [T, N, C], targets: [N, S] or all in a row, lengths: [N] -> [] or, unreduced, [N].
    """
    if log_probs.ndim == 2:
        options = (blank, zero_infinity, "none")
        lengths = input_lengths.reshape(1), target_lengths.reshape(1)
        losses = ctc_loss(log_probs[:, None], targets.reshape(1, -1), *lengths, *options)[0]
        return losses / xp.maximum(target_lengths.reshape(()), 1) if reduction == "mean" else losses
    if targets.ndim == 1:
        starts = xp.cumsum(target_lengths) - target_lengths
        places = starts[:, None] + xp.arange(targets.shape[0])
        targets = targets[xp.minimum(places, targets.shape[0] - 1)]
    n, size = targets.shape
    blanks = xp.full((n, size), blank, targets.dtype)
    labels = xp.concatenate((xp.stack((blanks, targets), axis=-1).reshape(n, -1), xp.full((n, 1), blank, targets.dtype)), axis=1)
    skips = (labels != blank) & (labels != xp.pad(labels, ((0, 0), (2, 0)), constant_values=-1)[:, :-2])
    # A large number instead of infinity, whose gradient is NaN.
    low = -1e30
    scores = xp.where(xp.arange(2 * size + 1) < 2, xp.take_along_axis(log_probs[0], labels, 1), low)
    for time in range(1, len(log_probs)):
        one = xp.pad(scores, ((0, 0), (1, 0)), constant_values=low)[:, :-1]
        two = xp.where(skips, xp.pad(scores, ((0, 0), (2, 0)), constant_values=low)[:, :-2], low)
        total = xp.logsumexp(xp.stack((scores, one, two)), axis=0) + xp.take_along_axis(log_probs[time], labels, 1)
        scores = xp.where((time < input_lengths)[:, None], xp.maximum(total, low), scores)
    ends = 2 * target_lengths[:, None] - xp.arange(2)
    last = xp.take_along_axis(scores, xp.maximum(ends, 0), 1)
    losses = -xp.logsumexp(xp.where(ends >= 0, last, low), axis=1)
    empty = xp.where(target_lengths == 0, 0.0, xp.inf).astype(losses.dtype)
    losses = xp.where(input_lengths == 0, empty, losses)
    losses = xp.where(losses > 1e29, 0.0 if zero_infinity else xp.inf, losses)
    return (losses / xp.maximum(target_lengths, 1)).mean() if reduction == "mean" else reduce_loss(losses, reduction)
