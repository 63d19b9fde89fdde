"""Bounds of reductions along axes and of pooling.

Sums need the number of elements, which is often known at run time only; means, maxima and minima do not.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...ops.operator import numel
from ...ops.pooling import (
    AdaptiveAvgPool,
    AdaptiveMaxPool,
    AvgPool,
    GlobalAvgPool,
    GlobalMaxPool,
    MaxPool,
)
from ...ops.reduction import ArgReduction, Cumsum, Logsumexp, Max, Mean, Min, Norm, Quantifier, Std, Sum, Var
from ..bound_table import BoundSite, bound_rule
from ..tensor_bounds import TensorBound, scalar_bound, unknown_bound

Bounds = Sequence[TensorBound]


def _reduced_axes(site: BoundSite) -> tuple[int, ...]:
    axes: tuple[int, ...] = site.op.reduced_axes(site.given.types[0])  # type: ignore[attr-defined]
    return axes


def _count_elements(site: BoundSite) -> int | None:
    """Count the elements that are reduced to one; None if the number is only known at run time."""
    count = numel(tuple(site.given.types[0].shape[axis] for axis in _reduced_axes(site)))
    return int(count) if isinstance(count, int) else None


def _reduce(site: BoundSite, low: Any, high: Any) -> TensorBound:
    """Reduce both ends by functions of NumPy."""
    axes, keep = _reduced_axes(site), bool(site.op.args["keepdim"])
    if site.x.low.size == 0:
        return unknown_bound(site.results[0].rank)
    return TensorBound(low(site.x.low, axis=axes, keepdims=keep), high(site.x.high, axis=axes, keepdims=keep))


@bound_rule(Mean)
def bound_mean(site: BoundSite) -> Bounds:
    mean = _reduce(site, np.mean, np.mean)
    largest = np.mean(site.x.magnitude, axis=_reduced_axes(site), keepdims=bool(site.op.args["keepdim"])) if site.x.low.size else 0.0
    return (mean.widen(0.0, site.sum_share(_count_elements(site)) * largest),)


@bound_rule(Sum)
def bound_sum(site: BoundSite) -> Bounds:
    count = _count_elements(site)
    if count is None or site.x.low.size == 0:
        return site.unknown()
    (mean,) = bound_mean(site)
    return (TensorBound(mean.low * count, mean.high * count) if count else scalar_bound(0, 0, mean.rank),)


@bound_rule(Max, Min)
def bound_extreme(site: BoundSite) -> Bounds:
    function = np.max if isinstance(site.op, Max) else np.min
    return (_reduce(site, function, function), *(unknown_bound(type.rank) for type in site.results[1:]))


@bound_rule(Var, Std)
def bound_spread(site: BoundSite) -> Bounds:
    """Popoviciu's inequality: the variance is at most a quarter of the squared range; times n / (n - correction) for samples."""
    merged = site.x.merge_axes(_reduced_axes(site), bool(site.op.args["keepdim"]))
    correction = site.op.args.get("correction", 1)
    count = _count_elements(site)
    if not isinstance(correction, (int, float)) or (count is not None and count <= correction) or (count is None and correction > 1):
        return site.unknown()
    factor = 2.0 if count is None else count / (count - correction)
    with np.errstate(over="ignore"):
        most = ((merged.high - merged.low) / 2) ** 2 * factor * (1 + 2.0**-8) + site.sum_share(count) * merged.magnitude**2
    most = np.where(np.isnan(most), np.inf, most)
    return (TensorBound(np.zeros_like(most), np.sqrt(most) if isinstance(site.op, Std) else most),)


@bound_rule(Norm)
def bound_norm(site: BoundSite) -> Bounds:
    """The p-norm of n numbers is at most n ** (1 / p) times the largest of them."""
    p, count = float(site.op.args["p"]), _count_elements(site)
    if p < 1 or (count is None and not np.isinf(p)):
        return site.unknown()
    merged = site.x.merge_axes(_reduced_axes(site), bool(site.op.args["keepdim"]))
    most = merged.magnitude * (1.0 if count is None else count ** (1 / p)) * (1 + 2.0**-8)
    return (TensorBound(np.zeros_like(most), most),)


@bound_rule(Logsumexp)
def bound_log_sum(site: BoundSite) -> Bounds:
    count = _count_elements(site)
    if not count:
        return site.unknown()
    merged = site.x.merge_axes(_reduced_axes(site), bool(site.op.args["keepdim"]))
    return (TensorBound(merged.low, merged.high + np.log(count)).widen(0.0, 2.0**-20),)


@bound_rule(Quantifier)
def bound_quantifier(site: BoundSite) -> Bounds:
    return (scalar_bound(0, 1, site.results[0].rank),)


@bound_rule(ArgReduction)
def bound_index(site: BoundSite) -> Bounds:
    count = _count_elements(site)
    return (scalar_bound(0, max(count - 1, 0), site.results[0].rank),) if count is not None else site.unknown()


@bound_rule(Cumsum)
def bound_cumulative_sum(site: BoundSite) -> Bounds:
    rank = site.results[0].rank
    size = site.given.types[0].shape[site.op.args["axis"]] if rank else 1
    if not isinstance(size, int):
        return site.unknown()
    x = site.x.merge_all(rank)
    ends = np.array([float(x.low.item()), float(x.high.item())])
    # After k elements, the sum is between k * low and k * high; k = 1 is the least.
    sums = np.concatenate([ends, ends * int(size)])
    bound = scalar_bound(float(sums.min()), float(sums.max()), rank)
    return (bound.widen(0.0, site.sum_share(size) * x.magnitude * int(size)),)


@bound_rule(MaxPool, AdaptiveMaxPool)
def bound_max_pool(site: BoundSite) -> Bounds:
    merged = _merge_space(site.x)
    return (merged, *(unknown_bound(type.rank) for type in site.results[1:]))


@bound_rule(AdaptiveAvgPool)
def bound_adaptive_mean(site: BoundSite) -> Bounds:
    merged = _merge_space(site.x)
    return (merged.widen(0.0, site.sum_share("unknown") * merged.magnitude),)


@bound_rule(AvgPool)
def bound_avg_pool(site: BoundSite) -> Bounds:
    op: Any = site.op
    if op.divisor_override is not None:
        return site.unknown()
    merged = _merge_space(site.x)
    reach = merged | scalar_bound(0, 0, merged.rank)  # the zeros of the padding count
    return (reach.widen(0.0, site.sum_share("unknown") * reach.magnitude),)


@bound_rule(GlobalAvgPool, GlobalMaxPool)
def bound_global_pool(site: BoundSite) -> Bounds:
    merged = site.x.merge_axes(tuple(range(2, site.x.rank)), keep=False)
    return (merged.widen(0.0, site.sum_share("unknown") * merged.magnitude),)


def _merge_space(x: TensorBound) -> TensorBound:
    """Merge the positions of an image. Its channels stay apart."""
    return x.merge_axes(tuple(range(2, x.rank)))
