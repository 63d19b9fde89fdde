"""Bounds of normalizations and softmax, which bound tensors of any size.

For deviations d of n numbers, `|d_i| / sqrt(sum(d ** 2) / n)` is at most sqrt(n): no square exceeds the sum of all squares. So an element
of a layer norm is at most `sqrt(n) * |weight| + |bias|`, and its row is in a ball, from which a dense layer's bound follows by
Cauchy-Schwarz. (For exact arithmetic it is sqrt(n - 1), as the deviations sum to 0; computed ones need not.)

Computed deviations and the computed variance fit together as long as the numbers differ by more than rounding. Two numbers of 1e8 that
differ in the last bit have a deviation, but PyTorch's `layer_norm` may find the variance 0 and divide by the root of `eps`. So these bounds
have a condition, `LEAST_SPREAD`. The root mean square of `rms_norm` has no mean, and needs none.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ...dims import Dim
from ...ops.activation import LogSoftmax, Softmax, Softmin
from ...ops.normalization import BatchNorm, GroupNorm, InstanceNorm, LayerNorm, RMSNorm, Standardize
from ...ops.operator import numel
from ...ops.reduction import Normalize
from ...types.numpy_types import Array
from ..bound_table import LEAST, UNITS, BoundSite, bound_rule
from ..tensor_bounds import Ball, TensorBound, constant_bound, scalar_bound

Bounds = Sequence[TensorBound]
SLACK = 1 + 2.0**-8
"""The factor that makes room for the rounding of means and variances."""


@bound_rule(LayerNorm, RMSNorm)
def bound_last_axes(site: BoundSite) -> Bounds:
    op: Any = site.op
    shape = op.normalized_shape(site.given.types[0])
    radius = _find_radius(site, numel(shape))
    if radius is None:
        return site.unknown()
    site.needs_spread = isinstance(op, LayerNorm)
    rank = site.results[0].rank
    scale, shift = (_read_last_axes(site, name, rank) for name in ("weight", "bias"))
    bound = _apply_scales(scalar_bound(-radius, radius, rank), scale, shift)
    if len(shape) > 1 or not (scale is None or scale.is_constant) or not (shift is None or shift.is_constant):
        return (bound,)
    # A given weight may differ between samples, and a ball is the same for all rows.
    vectors = [_to_vector(b, shape[0], default) for b, default in ((scale, 1.0), (shift, 0.0))]
    return (TensorBound(bound.low, bound.high, Ball(vectors[1], radius * np.abs(vectors[0]))),)


def _find_radius(site: BoundSite, count: Dim) -> float | None:
    """Return the bound of a normalized number among `count`; None if the count is only known at run time, or if squares may underflow.

    The squares of numbers below the root of `LEAST` underflow. Then `eps` is all that is left of the divisor.
    """
    eps = site.op.args.get("eps")
    if not isinstance(count, int) or (eps is not None and float(eps) < LEAST["float32"]):
        return None
    return float(np.sqrt(count)) * SLACK


def _read_last_axes(site: BoundSite, name: str, rank: int) -> TensorBound | None:
    """Return the bound of a parameter over the last axes, with axes of size 1 in front."""
    given = site.get_input(name)
    if given is None:
        array = site.read_parameter(name)
        if array is None:
            return None
        given = constant_bound(array)
    missing = (1,) * (rank - given.rank)
    return given.map_ends(lambda end: end.reshape(missing + end.shape))


def _apply_scales(bound: TensorBound, scale: TensorBound | None, shift: TensorBound | None) -> TensorBound:
    scaled = bound if scale is None else bound * scale
    return scaled if shift is None else scaled + shift


def _to_vector(bound: TensorBound | None, size: int, default: float) -> Array:
    return np.broadcast_to(default if bound is None else bound.low.reshape(-1), (size,)).astype(np.float64)


@bound_rule(GroupNorm, InstanceNorm)
def bound_groups(site: BoundSite) -> Bounds:
    op: Any = site.op
    if op.args.get("track_running_stats"):
        return _bound_by_statistics(site)
    channels, *space = site.given.types[0].shape[1:]
    groups = op.groups if isinstance(op, GroupNorm) else channels
    count = numel((channels, *space))
    # The size of an image is often known at run time only, and then there is no bound.
    radius = _find_radius(site, count // groups) if isinstance(count, int) and isinstance(groups, int) else None
    if radius is None:
        return site.unknown()
    site.needs_spread = True
    rank = site.results[0].rank
    return (_apply_scales(scalar_bound(-radius, radius, rank), *(_read_channels(site, name) for name in ("weight", "bias"))),)


def _read_channels(site: BoundSite, name: str) -> TensorBound | None:
    """Return the bound of a parameter over the channels, with the axes of the result."""
    given = site.get_input(name)
    if given is None:
        array = site.read_parameter(name)
        if array is None:
            return None
        given = constant_bound(array)
    shape = (1, -1, *(1,) * (site.results[0].rank - 2))
    return given.map_ends(lambda end: end.reshape(shape))


@bound_rule(BatchNorm)
def bound_batch_norm(site: BoundSite) -> Bounds:
    # The statistics of a batch are of any number of samples, so without running statistics there is no bound.
    return _bound_by_statistics(site) if site.op.args["track_running_stats"] else site.unknown()


def _bound_by_statistics(site: BoundSite) -> Bounds:
    """In evaluation, running statistics make it a scale and a shift of each channel."""
    mean, variance = site.read_parameter("running_mean"), site.read_parameter("running_var")
    if mean is None or variance is None:
        return site.unknown()
    shape = (1, -1, *(1,) * (site.results[0].rank - 2))
    with np.errstate(invalid="ignore", divide="ignore"):
        factor = 1 / np.sqrt(variance + float(site.op.args["eps"]))
    weight, bias = (_read_channels(site, name) for name in ("weight", "bias"))
    centered = site.x - constant_bound(mean.reshape(shape))
    scale = constant_bound(factor.reshape(shape))
    if weight is not None:
        scale = scale * weight
    result = _apply_scales(centered * scale, None, bias)
    # Kernels compute `x * scale + shift`, whose parts may be much larger than their sum.
    parts = (site.x.magnitude + np.abs(mean).reshape(shape)) * scale.magnitude
    return (result.widen(0.0, np.where(np.isnan(parts), np.inf, parts) * 8 * site.unit),)


@bound_rule(Standardize)
def bound_standardize(site: BoundSite) -> Bounds:
    mean, deviation = site.read_parameter("mean"), site.read_parameter("std")
    rank = site.results[0].rank
    if mean is None or deviation is None or (deviation == 0).any():
        return site.unknown()
    axis = site.op.feature_axis(site.given.types[0])  # type: ignore[attr-defined]
    shape = tuple(mean.size if a == axis and mean.ndim else 1 for a in range(rank))
    return ((site.x - constant_bound(mean.reshape(shape))) * constant_bound(1 / deviation.reshape(shape)),)


@bound_rule(Softmax, Softmin)
def bound_softmax(site: BoundSite) -> Bounds:
    rank = site.results[0].rank
    is_last = rank > 0 and site.op.args["axis"] % rank == rank - 1
    bound = scalar_bound(0, 1, rank)
    return (TensorBound(bound.low, bound.high, row_sum=1.0 if is_last else None),)


@bound_rule(LogSoftmax)
def bound_log_softmax(site: BoundSite) -> Bounds:
    """The logarithm of a softmax of n numbers is at least `low - high - log(n)`."""
    rank = site.results[0].rank
    size = site.given.types[0].shape[site.op.args["axis"]] if rank else 1
    spread = float(site.x.low.min(initial=np.inf)) - float(site.x.high.max(initial=-np.inf)) if site.x.low.size else 0.0
    least = spread - float(np.log(max(size, 1))) if isinstance(size, int) else -np.inf
    return (scalar_bound(min(least, 0.0), 0, rank).widen(0.0, 2.0**-20),)


@bound_rule(Normalize)
def bound_normalize(site: BoundSite) -> Bounds:
    """No element exceeds the p-norm of its vector, for a p from 1 on; a small norm is replaced by `eps`, which is larger.

    The norm of numbers whose powers underflow may be computed as 0. Then they are divided by `eps`.
    """
    p, eps = float(site.op.args["p"]), float(site.op.args["eps"])
    if p < 1 or (eps <= 0 and np.isfinite(p)):
        return site.unknown()
    rank = site.results[0].rank
    radius = max(SLACK, LEAST["float32"] ** (1 / p) / eps) if np.isfinite(p) else SLACK
    bound = scalar_bound(-radius, radius, rank)
    size = site.given.types[0].shape[-1] if rank else 1
    axes = site.op.args["axis"]
    is_row = rank > 0 and axes in (-1, rank - 1, (-1,), (rank - 1,)) and p <= 2 and radius == SLACK and site.unit <= UNITS["float32"]
    ball = Ball(np.zeros(int(size)), np.full(int(size), SLACK)) if is_row and isinstance(size, int) else None
    return (TensorBound(bound.low, bound.high, ball),)
