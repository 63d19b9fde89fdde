"""Normalization layers."""

from __future__ import annotations

from typing import Any

from .array_words import (
    Array,
    Buffer,
    DType,
    Module,
    Param,
    fn,
    xp,
)

# BatchNorm, update_statistic: each framework's own.


def normalize_channels(x: Array, mean: Array, var: Array, weight: Any, bias: Any, eps: float) -> Array:
    """x: [N, C, ...], with a mean and a variance for each channel -> the same shape."""

    def per_channel(values: Array) -> Array:
        return values.reshape(-1, *[1] * (x.ndim - 2))

    scale = xp.rsqrt(var + eps)
    y = (x - per_channel(mean)) * per_channel(scale if weight is None else scale * weight[...])
    return (y if bias is None else y + per_channel(bias[...])).astype(x.dtype)


def batch_norm(x: Array, weight: Array, bias: Array | None = None, eps: float = 1e-5) -> Array:
    """Normalizes each channel by the statistics of the batch."""
    axes, wide = (0, *range(2, x.ndim)), x.astype(xp.promote_types(x.dtype, xp.float32))
    return normalize_channels(x, wide.mean(axes), wide.var(axes), weight, bias, eps)


# InstanceNorm: each framework's own.


def instance_norm(x: Array, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    """Normalizes each channel of each sample."""
    return group_norm(x, x.shape[1], weight, bias, eps)


class GroupNorm(Module):
    """Normalizes groups of channels of each sample: [N, num_channels, ...] -> the same shape."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        dtype: DType = xp.float32,
    ) -> None:
        self.num_groups, self.eps = num_groups, eps
        self.weight = Param(xp.ones(num_channels, dtype)) if affine else None
        self.bias = Param(xp.zeros(num_channels, dtype)) if affine and bias else None

    def __call__(self, x: Array) -> Array:
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def group_norm(x: Array, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> Array:
    """Normalizes groups of channels of each sample: [N, C, ...] -> the same shape."""
    groups = x.reshape(x.shape[0], num_groups, -1).astype(xp.promote_types(x.dtype, xp.float32))
    centered = groups - groups.mean(-1, keepdims=True)
    y = (centered * xp.rsqrt(xp.square(centered).mean(-1, keepdims=True) + eps)).reshape(x.shape)
    shape = (-1, *[1] * (x.ndim - 2))
    y = y if weight is None else y * weight[...].reshape(shape)
    return (y if bias is None else y + bias[...].reshape(shape)).astype(x.dtype)


class LayerNorm(Module):
    """Normalizes the last axes, whose sizes are `normalized_shape`."""

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: DType = xp.float32,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.axes, self.eps = len(shape), eps
        self.weight = Param(xp.ones(shape, dtype)) if elementwise_affine else None
        self.bias = Param(xp.zeros(shape, dtype)) if elementwise_affine and bias else None

    def __call__(self, x: Array) -> Array:
        return layer_norm(x, self.weight, self.bias, self.axes, self.eps)


def layer_norm(x: Array, weight: Any = None, bias: Any = None, axes: int = 1, eps: float = 1e-5) -> Array:
    """Normalizes the last axes."""
    last = tuple(range(-axes, 0))
    wide = x.astype(xp.promote_types(x.dtype, xp.float32))
    centered = wide - wide.mean(last, keepdims=True)
    y = centered * xp.rsqrt(xp.square(centered).mean(last, keepdims=True) + eps)
    y = y if weight is None else y * weight[...]
    return (y if bias is None else y + bias[...]).astype(x.dtype)


class RMSNorm(Module):
    """Divides by the root mean square over the last axes, whose sizes are `normalized_shape`."""

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: DType = xp.float32,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.axes, self.eps = len(shape), eps
        self.weight = Param(xp.ones(shape, dtype)) if elementwise_affine else None

    def __call__(self, x: Array) -> Array:
        return rms_norm(x, self.weight, self.axes, self.eps)


def rms_norm(x: Array, weight: Any = None, axes: int = 1, eps: float | None = None) -> Array:
    """Divides by the root mean square over the last axes."""
    wide = x.astype(xp.promote_types(x.dtype, xp.float32))
    least = xp.finfo(wide.dtype).eps if eps is None else eps
    y = wide * xp.rsqrt(xp.square(wide).mean(tuple(range(-axes, 0)), keepdims=True) + least)
    return (y if weight is None else y * weight[...]).astype(x.dtype)


def local_response_norm(x: Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> Array:
    """Divides by the mean square of `size` channels around each: [N, C, ...] -> the same shape."""
    squares = xp.pad(xp.square(x), [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)])
    sums = sum(squares[:, i : i + x.shape[1]] for i in range(size))
    mean = sums / size if xp.issubdtype(x.dtype, xp.floating) else sums // size
    return x / (k + alpha * mean) ** beta


class Standardize(Module):
    """Subtracts the mean of each feature and divides by its deviation. Both are measured on the training data.

    x: [N, ...], with the features along `axis`, or without `features` [N] -> the same shape.
    """

    def __init__(self, features: int | None = None, axis: int = 1, dtype: DType = xp.float32) -> None:
        self.axis = axis
        shape = () if features is None else (features,)
        self.mean = Buffer(xp.zeros(shape, dtype))
        self.std = Buffer(xp.ones(shape, dtype))

    def __call__(self, x: Array) -> Array:
        shape = (-1, *[1] * (x.ndim - 1 - self.axis))
        return (x - self.mean[...].reshape(shape)) / self.std[...].reshape(shape)


# SpectralNormalize: each framework's own.


class PReLU(Module):
    """A ReLU that multiplies negative numbers by a trained slope, one for all or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: DType = xp.float32) -> None:
        self.weight = Param(xp.full(num_parameters, init, dtype))

    def __call__(self, x: Array) -> Array:
        return prelu(x, self.weight[...])


def prelu(x: Array, weight: Array) -> Array:
    """x: [N, C, ...], weight: [C] or [1] -> the same shape as `x`."""
    slope = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight.reshape(())
    return xp.where(x > 0, x, slope * x)


# AlphaDropout, RReLU: each framework's own.


def leaky_relu(x: Array, negative_slope: float = 0.01) -> Array:
    """Multiplies negative numbers by the slope, which is also the gradient at zero."""
    return xp.where(x > 0, x, negative_slope * x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """`alpha * (exp(x) - 1)` for negative numbers. The gradient of large ones is finite."""
    return xp.where(x > 0, x, alpha * xp.expm1(xp.where(x > 0, 0, x)))


def celu(x: Array, alpha: float = 1.0) -> Array:
    """`alpha * (exp(x / alpha) - 1)` for negative numbers. The gradient at zero is 1."""
    return xp.where(x > 0, x, alpha * xp.expm1(xp.where(x > 0, 0, x) / alpha))


def selu(x: Array) -> Array:
    """A scaled `elu`, which keeps the mean 0 and the variance 1."""
    return 1.0507009873554805 * elu(x, 1.6732632423543772)


def softplus(x: Array, beta: float = 1.0, threshold: float = 20.0) -> Array:
    """A smooth ReLU, and `x` itself where `beta * x` is above the threshold."""
    return xp.where(beta * x > threshold, x, fn.softplus(beta * x) / beta)


def hardtanh(x: Array, min_val: float = -1.0, max_val: float = 1.0) -> Array:
    """Limits numbers. At a limit, the gradient is 0."""
    return xp.where(x <= min_val, min_val, xp.where(x >= max_val, max_val, x))


def log_softmax(x: Array, axis: int) -> Array:
    """The logarithms of `softmax`."""
    x = x - xp.stop_gradient(x.max(axis, keepdims=True))  # digits are lost if the sum is far from zero
    return x - xp.logsumexp(x, axis=axis, keepdims=True)


def hard_sigmoid(x: Array) -> Array:
    """The line from 0 at -3 to 1 at 3."""
    return xp.clip(x + 3, 0, 6) / 6
