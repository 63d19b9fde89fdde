"""Normalization layers, and layers that change in training: definitions for the files of Flax."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from ...python.array_library.array_normalization import instance_norm, normalize_channels
from .flax_variables import Buffer


class BatchNorm(nnx.Module):
    """Normalizes each channel, in training by the statistics of the batch, and in evaluation by their running average.

    x: [N, num_features, ...] -> the same shape.
    """

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float | None = 0.1,
        affine: bool = True,
        track_running_stats: bool = True,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
    ) -> None:
        self.eps, self.momentum, self.use_running_average = eps, momentum, False
        self.weight = nnx.Param(jnp.ones(num_features, dtype)) if affine else None
        self.bias = nnx.Param(jnp.zeros(num_features, dtype)) if affine and bias else None
        self.track_running_stats = track_running_stats
        if track_running_stats:
            self.running_mean = nnx.BatchStat(jnp.zeros(num_features, dtype))
            self.running_var = nnx.BatchStat(jnp.ones(num_features, dtype))
            self.num_batches_tracked = nnx.BatchStat(jnp.zeros((), int))

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average and self.track_running_stats:
            mean, var = self.running_mean[...], self.running_var[...]
        else:
            axes = (0, *range(2, x.ndim))
            wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
            mean, var = wide.mean(axes), wide.var(axes)
            if self.track_running_stats:
                self.num_batches_tracked[...] += 1
                rate = 1 / self.num_batches_tracked[...] if self.momentum is None else self.momentum
                count = x.size // x.shape[1]
                update_statistic(self.running_mean, mean, rate)
                update_statistic(self.running_var, var * (count / max(count - 1, 1)), rate)
        return normalize_channels(x, mean, var, self.weight, self.bias, self.eps)


def update_statistic(average: nnx.Variable[Any], value: jax.Array, rate: float | jax.Array) -> None:
    """Moves a running average towards a value, which gets no gradient."""
    value = jax.lax.stop_gradient(value).astype(average.dtype)
    average[...] = (average[...] + rate * (value - average[...])).astype(average.dtype)


class InstanceNorm(nnx.Module):
    """Normalizes each channel of each sample: [N, num_features, ...] -> the same shape."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
    ) -> None:
        self.eps, self.momentum, self.use_running_average = eps, momentum, False
        self.weight = nnx.Param(jnp.ones(num_features, dtype)) if affine else None
        self.bias = nnx.Param(jnp.zeros(num_features, dtype)) if affine and bias else None
        self.track_running_stats = track_running_stats
        if track_running_stats:
            self.running_mean = nnx.BatchStat(jnp.zeros(num_features, dtype))
            self.running_var = nnx.BatchStat(jnp.ones(num_features, dtype))
            self.num_batches_tracked = nnx.BatchStat(jnp.zeros((), int))

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.use_running_average and self.track_running_stats:
            stats = self.running_mean[...], self.running_var[...]
            return normalize_channels(x, *stats, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            axes = tuple(range(2, x.ndim))
            update_statistic(self.running_mean, x.mean(axes).mean(0), self.momentum)
            update_statistic(self.running_var, x.var(axes, ddof=1).mean(0), self.momentum)
        return instance_norm(x, self.weight, self.bias, self.eps)


def local_response_norm(x: jax.Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> jax.Array:
    """Divides by the mean square of `size` channels around each: [N, C, ...] -> the same shape."""
    pads = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    window = (1, size, *[1] * (x.ndim - 2))
    sums = jax.lax.reduce_window(jnp.square(x), np.zeros((), x.dtype), jax.lax.add, window, (1,) * x.ndim, pads)
    mean = sums / size if jnp.issubdtype(x.dtype, jnp.floating) else sums // size
    return x / (k + alpha * mean) ** beta


class SpectralNormalize(nnx.Module):
    """Divides a weight by its greatest singular value, as two vectors estimate it. Each call in training improves the
    vectors.

    weight: [..., rows, ...], with the rows along `axis` -> the same shape.
    """

    def __init__(
        self,
        rows: int,
        columns: int,
        axis: int = 0,
        n_power_iterations: int = 1,
        eps: float = 1e-12,
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.axis, self.n_power_iterations, self.eps = axis, n_power_iterations, eps
        self.deterministic = False
        self._u = Buffer(self.unit(jax.random.normal(rngs.params(), (rows,), dtype)))
        self._v = Buffer(self.unit(jax.random.normal(rngs.params(), (columns,), dtype)))

    def unit(self, x: jax.Array) -> jax.Array:
        return x / jnp.maximum(jnp.sqrt(jnp.square(x).sum()), self.eps)

    def start(self, weight: jax.Array) -> None:
        self.improve(jnp.moveaxis(weight, self.axis, 0).reshape(weight.shape[self.axis], -1), 15)

    def improve(self, matrix: jax.Array, steps: int) -> None:
        matrix = jax.lax.stop_gradient(matrix)
        u, v = self._u[...], self._v[...]
        for _ in range(steps):
            u = self.unit(matrix @ v)
            v = self.unit(matrix.T @ u)
        self._u[...], self._v[...] = u, v

    def __call__(self, weight: jax.Array) -> jax.Array:
        matrix = jnp.moveaxis(weight, self.axis, 0).reshape(weight.shape[self.axis], -1)
        if not self.deterministic:
            self.improve(matrix, self.n_power_iterations)
        return weight / (self._u[...] @ (matrix @ self._v[...]))


class AlphaDropout(nnx.Module):
    """Dropout that keeps the mean and the variance of what SELU gives."""

    def __init__(self, rate: float, *, rngs: nnx.Rngs) -> None:
        self.rate, self.deterministic, self.rngs = rate, False, rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array:
        if self.deterministic or self.rate == 0:
            return x
        keep, low = 1 - self.rate, -1.7580993408473766
        scale = (keep * (1 + self.rate * low**2)) ** -0.5 if keep else 0.0
        kept = jax.random.bernoulli(self.rngs(), keep, x.shape)
        return scale * (jnp.where(kept, x, low) - low * self.rate)


class RReLU(nnx.Module):
    """A ReLU that multiplies negative numbers by a slope, which training draws for each."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3, *, rngs: nnx.Rngs) -> None:
        self.lower, self.upper, self.deterministic, self.rngs = lower, upper, False, rngs.dropout.fork()

    def __call__(self, x: jax.Array) -> jax.Array:
        slope = (self.lower + self.upper) / 2
        if not self.deterministic:
            slope = jax.random.uniform(self.rngs(), x.shape, x.dtype, self.lower, self.upper)
        return jnp.where(x > 0, x, slope * x)
