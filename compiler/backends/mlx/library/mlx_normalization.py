"""Normalization layers, and layers that change in training: definitions for the files of MLX."""

from __future__ import annotations

from collections.abc import Sequence

import mlx.core as mx
import mlx.nn as nn

from ...python.array_library.array_normalization import instance_norm, normalize_channels
from .mlx_variables import register_buffer


class BatchNorm(nn.Module):
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
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.eps, self.momentum, self.track_running_stats = eps, momentum, track_running_stats
        self.weight = mx.ones(num_features, dtype) if affine else None
        self.bias = mx.zeros(num_features, dtype) if affine and bias else None
        if track_running_stats:
            register_statistics(self, num_features, dtype)

    def __call__(self, x: mx.array) -> mx.array:
        if self.track_running_stats and not self.training:
            mean, var = self.running_mean, self.running_var
        else:
            axes = (0, *range(2, x.ndim))
            wide = x.astype(mx.result_type(x, mx.float32))
            mean, var = wide.mean(axes), wide.var(axes)
            if self.track_running_stats:
                count = x.size // x.shape[1]
                update_statistics(self, mean, var * (count / max(count - 1, 1)))
        return normalize_channels(x, mean, var, self.weight, self.bias, self.eps)


def register_statistics(module: nn.Module, num_features: int, dtype: mx.Dtype) -> None:
    """Sets the running statistics of a module, which are not trained."""
    register_buffer(module, "running_mean", mx.zeros(num_features, dtype))
    register_buffer(module, "running_var", mx.ones(num_features, dtype))
    register_buffer(module, "num_batches_tracked", mx.array(0, mx.int64))


def update_statistics(module: nn.Module, mean: mx.array, var: mx.array) -> None:
    """Moves the running statistics towards the batch's statistics, which get no gradient."""
    module.num_batches_tracked = module.num_batches_tracked + 1
    rate = 1 / module.num_batches_tracked if module.momentum is None else module.momentum
    for name, value in (("running_mean", mean), ("running_var", var)):
        average = module[name]
        value = mx.stop_gradient(value).astype(average.dtype)
        module[name] = (average + rate * (value - average)).astype(average.dtype)


class InstanceNorm(nn.Module):
    """Normalizes each channel of each sample: [N, num_features, ...] -> the same shape."""

    def __init__(
        self,
        num_features: int,
        eps: float = 1e-5,
        momentum: float = 0.1,
        affine: bool = False,
        track_running_stats: bool = False,
        bias: bool = True,
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.eps, self.momentum, self.track_running_stats = eps, momentum, track_running_stats
        self.weight = mx.ones(num_features, dtype) if affine else None
        self.bias = mx.zeros(num_features, dtype) if affine and bias else None
        if track_running_stats:
            register_statistics(self, num_features, dtype)

    def __call__(self, x: mx.array) -> mx.array:
        if self.track_running_stats and not self.training:
            return normalize_channels(x, self.running_mean, self.running_var, self.weight, self.bias, self.eps)
        if self.track_running_stats:
            axes, batches, wide = tuple(range(2, x.ndim)), self.num_batches_tracked, x.astype(mx.result_type(x, mx.float32))
            update_statistics(self, wide.mean(axes).mean(0), wide.var(axes, ddof=1).mean(0))
            self.num_batches_tracked = batches  # PyTorch counts the batches of batch norms only
        return instance_norm(x, self.weight, self.bias, self.eps)


class SpectralNormalize(nn.Module):
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
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.axis, self.n_power_iterations, self.eps = axis, n_power_iterations, eps
        register_buffer(self, "_u", self.unit(mx.random.normal((rows,)).astype(dtype)))
        register_buffer(self, "_v", self.unit(mx.random.normal((columns,)).astype(dtype)))

    def unit(self, x: mx.array) -> mx.array:
        return x / mx.maximum(mx.sqrt(mx.square(x).sum()), self.eps)

    def start(self, weight: mx.array) -> None:
        self.improve(mx.moveaxis(weight, self.axis, 0).reshape(weight.shape[self.axis], -1), 15)

    def improve(self, matrix: mx.array, steps: int) -> None:
        matrix = mx.stop_gradient(matrix)
        for _ in range(steps):
            self._u = self.unit(matrix @ self._v)
            self._v = self.unit(matrix.T @ self._u)

    def __call__(self, weight: mx.array) -> mx.array:
        matrix = mx.moveaxis(weight, self.axis, 0).reshape(weight.shape[self.axis], -1)
        if self.training:
            self.improve(matrix, self.n_power_iterations)
        return weight / (self._u @ (matrix @ self._v))


def softmax(x: mx.array) -> mx.array:
    """The softmax of the last axis."""
    return mx.softmax(x, axis=-1, precise=True)


class Dropout(nn.Module):
    """Zeros elements with the probability `p` in training, and scales up the others. Along `broadcast_dims`, all
    elements are dropped together.
    """

    def __init__(self, p: float, broadcast_dims: Sequence[int] = ()) -> None:
        super().__init__()
        self.p, self.broadcast_dims = p, tuple(broadcast_dims)

    def __call__(self, x: mx.array) -> mx.array:
        if not self.training or self.p == 0:
            return x
        shape = [1 if axis in self.broadcast_dims else size for axis, size in enumerate(x.shape)]
        kept = mx.random.bernoulli(1 - self.p, shape)
        return mx.where(kept, x / (1 - self.p), 0) if self.p < 1 else mx.zeros_like(x)


class AlphaDropout(nn.Module):
    """Dropout that keeps the mean and the variance of what SELU gives."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def __call__(self, x: mx.array) -> mx.array:
        if not self.training or self.p == 0:
            return x
        keep, low = 1 - self.p, -1.7580993408473766
        scale = (keep * (1 + self.p * low**2)) ** -0.5 if keep else 0.0
        return scale * (mx.where(mx.random.bernoulli(keep, x.shape), x, low) - low * self.p)


class RReLU(nn.Module):
    """A ReLU that multiplies negative numbers by a slope, which training draws for each."""

    def __init__(self, lower: float = 1 / 8, upper: float = 1 / 3) -> None:
        super().__init__()
        self.lower, self.upper = lower, upper

    def __call__(self, x: mx.array) -> mx.array:
        slope = (self.lower + self.upper) / 2
        if self.training:
            slope = mx.random.uniform(self.lower, self.upper, x.shape).astype(x.dtype)
        return mx.where(x > 0, x, slope * x)
