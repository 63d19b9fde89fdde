"""Definitions that emitted source contains where Flax has no equivalent with PyTorch's parameters.

The text of a definition is copied to each emitted file that uses it; netc does not import this module. Always: a definition needs only
imports of an emitted file, its lines fit there, and two empty lines separate it from the next one.
"""

from __future__ import annotations

import base64
import itertools
import math
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx


class Buffer(nnx.Variable[Any]):
    """A tensor of the checkpoint that is not trained."""


def load(model: nnx.Module, path: str) -> None:
    """Sets the parameters and buffers of a model to the tensors under their names in a safetensors file."""
    from safetensors.flax import load_file

    variables = {}
    for names, module in nnx.iter_graph(model):
        for name, value in vars(module).items() if isinstance(module, nnx.Module) else ():
            if isinstance(value, nnx.Variable):
                variables[".".join(map(str, (*names, name)))] = value
    tensors = load_file(path)
    found = {id(variables[name]) for name in variables.keys() & tensors.keys()}
    missing = [name for name, variable in variables.items() if id(variable) not in found]
    unknown = [name for name in tensors if name not in variables]
    if missing or unknown:
        raise KeyError(f"{path} lacks {missing}, and the model lacks {unknown}")
    for name, tensor in tensors.items():
        if tensor.shape != variables[name].shape:
            raise ValueError(f"{name} is {tensor.shape} in {path}, and {variables[name].shape} in the model")
        variables[name][...] = tensor


def freeze(module: nnx.Module) -> nnx.Module:
    """The module with parameters that are not trained."""
    for _, part in list(nnx.iter_graph(module)):
        for name, value in list(vars(part).items()) if isinstance(part, nnx.Module) else ():
            if isinstance(value, nnx.Param):
                setattr(part, name, Buffer(value[...]))
    return module


def draw(variable: nnx.Variable[Any], init: Callable[..., jax.Array], rngs: nnx.Rngs) -> None:
    """Draws the first value of a parameter again."""
    variable[...] = init(rngs.params(), variable.shape, variable.dtype)


def row_norms(weight: jax.Array) -> jax.Array:
    """The norm of each row, with the axes of the weight."""
    return jnp.sqrt(jnp.square(weight).sum(axis=tuple(range(1, weight.ndim)), keepdims=True))


def uniform_between(low: float, high: float) -> Callable[..., jax.Array]:
    """Draws numbers between two numbers."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, **_: Any) -> jax.Array:
        return jax.random.uniform(key, shape, dtype, low, high)

    return init


def shifted_normal(mean: float, stddev: float) -> Callable[..., jax.Array]:
    """Draws from the normal distribution with this mean."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, **_: Any) -> jax.Array:
        return mean + stddev * jax.random.normal(key, shape, dtype)

    return init


def truncated_normal(mean: float, stddev: float, low: float, high: float) -> Callable[..., jax.Array]:
    """Draws from the normal distribution between two numbers."""

    def init(key: jax.Array, shape: Sequence[int], dtype: Any = jnp.float32, **_: Any) -> jax.Array:
        ends = (low - mean) / stddev, (high - mean) / stddev
        return mean + stddev * jax.random.truncated_normal(key, *ends, shape, dtype)

    return init


def identity(x: jax.Array) -> jax.Array:
    """The tensor itself."""
    return x


def flatten(x: jax.Array) -> jax.Array:
    """Joins all axes after the first."""
    return x.reshape(x.shape[0], -1)


class Sequential(nnx.Module):
    """Layers that are called one after the other. Each is an attribute under its number or name, so that the names of
    parameters are those of the checkpoint, without the `layers` of `nnx.Sequential`.
    """

    def __init__(self, *layers: Any, **named: Any) -> None:
        if len(layers) == 1 and isinstance(layers[0], dict):
            layers, named = (), layers[0]
        members = {str(i): layer for i, layer in enumerate(layers)} | named
        self._names = tuple(members)
        for name, layer in members.items():
            setattr(self, name, layer)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, index: int | str | slice) -> Any:
        if isinstance(index, slice):
            return [getattr(self, name) for name in self._names[index]]
        return getattr(self, index if isinstance(index, str) else self._names[index])

    def __call__(self, x: jax.Array) -> jax.Array:
        for name in self._names:
            x = getattr(self, name)(x)
        return x


class Linear(nnx.Module):
    """A linear layer with the weight [out, in] of the checkpoint.

    x: [..., in_features] -> [..., out_features].
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        bias_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        bound = in_features**-0.5
        init = uniform_between(-bound, bound)
        self.weight = nnx.Param((weight_init or init)(rngs.params(), (out_features, in_features), dtype))
        self.bias = nnx.Param((bias_init or init)(rngs.params(), (out_features,), dtype)) if bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x @ self.weight[...].T
        return y if self.bias is None else y + self.bias[...]


def linear(x: jax.Array, weight: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """x: [..., I], weight: [O, I] -> [..., O]."""
    y = x @ weight.T
    return y if bias is None else y + bias


class Bilinear(nnx.Module):
    """A product of two inputs and a weight: a: [..., I], b: [..., J] -> [..., out_features]."""

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        bound = in1_features**-0.5
        init = uniform_between(-bound, bound)
        self.weight = nnx.Param(init(rngs.params(), (out_features, in1_features, in2_features), dtype))
        self.bias = nnx.Param(init(rngs.params(), (out_features,), dtype)) if bias else None

    def __call__(self, a: jax.Array, b: jax.Array) -> jax.Array:
        return bilinear(a, b, self.weight[...], None if self.bias is None else self.bias[...])


def bilinear(a: jax.Array, b: jax.Array, weight: jax.Array, bias: jax.Array | None = None) -> jax.Array:
    """a: [..., I], b: [..., J], weight: [O, I, J] -> [..., O]."""
    y = jnp.einsum("...i,oij,...j->...o", a, weight, b)
    return y if bias is None else y + bias


class Embedding(nnx.Module):
    """The rows of a table by their numbers: indices: [...] -> [..., embedding_dim]."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        init = weight_init or nnx.initializers.normal(1.0)
        self.weight = nnx.Param(init(rngs.params(), (num_embeddings, embedding_dim), dtype))

    def __call__(self, indices: jax.Array) -> jax.Array:
        return self.weight[...][indices]


class PaddedEmbedding(nnx.Module):
    """The rows of a table by their numbers. The row `padding_idx` is zero, and is not trained. Rows are scaled down to
    the norm `max_norm`.

    indices: [...] -> [..., embedding_dim].
    """

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        init = weight_init or nnx.initializers.normal(1.0)
        weight = init(rngs.params(), (num_embeddings, embedding_dim), dtype)
        self.weight = nnx.Param(weight if padding_idx is None else weight.at[padding_idx].set(0))

    def __call__(self, indices: jax.Array) -> jax.Array:
        rows = embed(indices, self.weight[...], self.padding_idx)
        return rows if self.max_norm is None else limit_norms(rows, self.max_norm, self.norm_type)


def embed(indices: jax.Array, weight: jax.Array, padding_idx: int | None = None) -> jax.Array:
    """The rows of a table. The row `padding_idx` gets no gradient.

    indices: [...], weight: [N, D] -> [..., D].
    """
    if padding_idx is not None:
        weight = weight.at[padding_idx].set(jax.lax.stop_gradient(weight[padding_idx]))
    return weight[indices]


def limit_norms(rows: jax.Array, max_norm: float, norm_type: float) -> jax.Array:
    """Scales down rows whose norm is larger than `max_norm`."""
    norms = jnp.linalg.vector_norm(rows, ord=norm_type, axis=-1, keepdims=True)
    limited = jnp.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    return rows + jax.lax.stop_gradient(limited - rows)


class EmbeddingBag(nnx.Module):
    """The mean, sum or maximum of rows of a table: [N, n] -> [N, D] or, with the start of each bag, [n] -> [bags, D]."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        padding_idx: int | None = None,
        max_norm: float | None = None,
        norm_type: float = 2.0,
        mode: str = "mean",
        include_last_offset: bool = False,
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.mode, self.include_last_offset = mode, include_last_offset
        weight = nnx.initializers.normal(1.0)(rngs.params(), (num_embeddings, embedding_dim), dtype)
        self.weight = nnx.Param(weight if padding_idx is None else weight.at[padding_idx].set(0))

    def __call__(
        self,
        indices: jax.Array,
        offsets: jax.Array | None = None,
        per_sample_weights: jax.Array | None = None,
    ) -> jax.Array:
        if offsets is None:
            bags, count = jnp.repeat(jnp.arange(len(indices)), indices.shape[1]), len(indices)
        else:
            count = len(offsets) - self.include_last_offset
            bags = jnp.searchsorted(offsets[:count], jnp.arange(len(indices)), side="right") - 1
        flat = indices.reshape(-1)
        rows = embed(flat, self.weight[...], self.padding_idx)
        if self.max_norm is not None:
            rows = limit_norms(rows, self.max_norm, self.norm_type)
        if per_sample_weights is not None:
            rows = rows * per_sample_weights.reshape(-1, 1)
        used = jnp.ones(len(flat), bool) if self.padding_idx is None else flat != self.padding_idx
        counts = jax.ops.segment_sum(used.astype(rows.dtype), bags, count)[:, None]
        if self.mode == "max":
            best = jax.ops.segment_max(jnp.where(used[:, None], rows, -jnp.inf), bags, count)
            return jnp.where(counts > 0, best, 0)
        total = jax.ops.segment_sum(jnp.where(used[:, None], rows, 0), bags, count)
        return total / jnp.maximum(counts, 1) if self.mode == "mean" else total


def each_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for each axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


class Conv(nnx.Module):
    """A convolution with the weight [out, in / groups, *kernel_size] of the checkpoint: channels are the second axis.

    x: [N, in_channels, ...] -> [N, out_channels, ...].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] | str = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        padding_mode: str = "zeros",
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        bias_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups, self.padding_mode = groups, padding_mode
        shape = (out_channels, in_channels // groups, *kernel_size)
        bound = math.prod(shape[1:]) ** -0.5
        init = uniform_between(-bound, bound)
        self.weight = nnx.Param((weight_init or init)(rngs.params(), shape, dtype))
        self.bias = nnx.Param((bias_init or init)(rngs.params(), (out_channels,), dtype)) if bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        bias = None if self.bias is None else self.bias[...]
        options = (self.stride, self.padding, self.dilation, self.groups, self.padding_mode)
        return conv(x, self.weight[...], bias, *options)


def conv(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> jax.Array:
    """x: [N, I, ...], weight: [O, I / groups, ...] -> [N, O, ...]."""
    axes = x.ndim - 2
    strides, dilations = each_axis(stride, axes), each_axis(dilation, axes)
    if isinstance(padding, str):
        sums = [d * (k - 1) for k, d in zip(weight.shape[2:], dilations, strict=True)]
        pads = [(total // 2, total - total // 2) for total in sums]
    else:
        pads = [(amount, amount) for amount in each_axis(padding, axes)]
    if padding_mode != "zeros":
        modes = {"reflect": "reflect", "replicate": "edge", "circular": "wrap"}
        x = x[(..., *(slice(max(-p, 0), n - max(-q, 0)) for (p, q), n in zip(pads, x.shape[2:], strict=True)))]
        wider = [(max(p, 0), max(q, 0)) for p, q in pads]
        x, pads = jnp.pad(x, ((0, 0), (0, 0), *wider), mode=modes[padding_mode]), [(0, 0)] * axes
    layout = ("NC" + "DHW"[-axes:], "OI" + "DHW"[-axes:], "NC" + "DHW"[-axes:])
    y = jax.lax.conv_general_dilated(x, weight, strides, pads, rhs_dilation=dilations, dimension_numbers=layout, feature_group_count=groups)
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


class ConvTranspose(nnx.Module):
    """A transposed convolution with the weight [in, out / groups, *kernel_size] of the checkpoint.

    x: [N, in_channels, ...] -> [N, out_channels, ...].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, ...],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        output_padding: int | tuple[int, ...] = 0,
        groups: int = 1,
        bias: bool = True,
        dilation: int | tuple[int, ...] = 1,
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        bias_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.options = (stride, padding, output_padding, groups, dilation)
        shape = (in_channels, out_channels // groups, *kernel_size)
        bound = math.prod(shape[1:]) ** -0.5
        init = uniform_between(-bound, bound)
        self.weight = nnx.Param((weight_init or init)(rngs.params(), shape, dtype))
        self.bias = nnx.Param((bias_init or init)(rngs.params(), (out_channels,), dtype)) if bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        return conv_transpose(x, self.weight[...], None if self.bias is None else self.bias[...], *self.options)


def conv_transpose(
    x: jax.Array,
    weight: jax.Array,
    bias: jax.Array | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dilation: int | tuple[int, ...] = 1,
) -> jax.Array:
    """The gradient of a convolution by its input. x: [N, I, ...], weight: [I, O / groups, ...] -> [N, O, ...]."""
    axes = x.ndim - 2
    kernel = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    kernel = jnp.flip(kernel.reshape(-1, *kernel.shape[2:]), tuple(range(2, x.ndim)))
    dilations = each_axis(dilation, axes)
    sides = zip(weight.shape[2:], each_axis(padding, axes), each_axis(output_padding, axes), dilations, strict=True)
    layout = ("NC" + "DHW"[-axes:], "OI" + "DHW"[-axes:], "NC" + "DHW"[-axes:])
    y = jax.lax.conv_general_dilated(
        x,
        kernel,
        (1,) * axes,
        [(d * (k - 1) - p, d * (k - 1) - p + extra) for k, p, extra, d in sides],
        lhs_dilation=each_axis(stride, axes),
        rhs_dilation=dilations,
        dimension_numbers=layout,
        feature_group_count=groups,
    )
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


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
                update_average(self.running_mean, mean, rate)
                update_average(self.running_var, var * (count / max(count - 1, 1)), rate)
        return normalize_channels(x, mean, var, self.weight, self.bias, self.eps)


def update_average(average: nnx.Variable[Any], value: jax.Array, rate: float | jax.Array) -> None:
    """Moves a running average towards a value, which gets no gradient."""
    value = jax.lax.stop_gradient(value).astype(average.dtype)
    average[...] = (average[...] + rate * (value - average[...])).astype(average.dtype)


def normalize_channels(x: jax.Array, mean: jax.Array, var: jax.Array, weight: Any, bias: Any, eps: float) -> jax.Array:
    """x: [N, C, ...], with a mean and a variance for each channel -> the same shape."""

    def per_channel(values: jax.Array) -> jax.Array:
        return values.reshape(-1, *[1] * (x.ndim - 2))

    scale = jax.lax.rsqrt(var + eps)
    y = (x - per_channel(mean)) * per_channel(scale if weight is None else scale * weight[...])
    return (y if bias is None else y + per_channel(bias[...])).astype(x.dtype)


def batch_norm(x: jax.Array, weight: jax.Array, bias: jax.Array | None = None, eps: float = 1e-5) -> jax.Array:
    """Normalizes each channel by the statistics of the batch."""
    axes = (0, *range(2, x.ndim))
    return normalize_channels(x, x.mean(axes), x.var(axes), weight, bias, eps)


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
            update_average(self.running_mean, x.mean(axes).mean(0), self.momentum)
            update_average(self.running_var, x.var(axes, ddof=1).mean(0), self.momentum)
        return instance_norm(x, self.weight, self.bias, self.eps)


def instance_norm(x: jax.Array, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> jax.Array:
    """Normalizes each channel of each sample."""
    return group_norm(x, x.shape[1], weight, bias, eps)


class GroupNorm(nnx.Module):
    """Normalizes groups of channels of each sample: [N, num_channels, ...] -> the same shape."""

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
    ) -> None:
        self.num_groups, self.eps = num_groups, eps
        self.weight = nnx.Param(jnp.ones(num_channels, dtype)) if affine else None
        self.bias = nnx.Param(jnp.zeros(num_channels, dtype)) if affine and bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        return group_norm(x, self.num_groups, self.weight, self.bias, self.eps)


def group_norm(x: jax.Array, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5) -> jax.Array:
    """Normalizes groups of channels of each sample: [N, C, ...] -> the same shape."""
    groups = x.reshape(x.shape[0], num_groups, -1).astype(jnp.promote_types(x.dtype, jnp.float32))
    centered = groups - groups.mean(-1, keepdims=True)
    y = (centered * jax.lax.rsqrt(jnp.square(centered).mean(-1, keepdims=True) + eps)).reshape(x.shape)
    shape = (-1, *[1] * (x.ndim - 2))
    y = y if weight is None else y * weight[...].reshape(shape)
    return (y if bias is None else y + bias[...].reshape(shape)).astype(x.dtype)


class LayerNorm(nnx.Module):
    """Normalizes the last axes, whose sizes are `normalized_shape`."""

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.axes, self.eps = len(shape), eps
        self.weight = nnx.Param(jnp.ones(shape, dtype)) if elementwise_affine else None
        self.bias = nnx.Param(jnp.zeros(shape, dtype)) if elementwise_affine and bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        return layer_norm(x, self.weight, self.bias, self.axes, self.eps)


def layer_norm(x: jax.Array, weight: Any = None, bias: Any = None, axes: int = 1, eps: float = 1e-5) -> jax.Array:
    """Normalizes the last axes."""
    last = tuple(range(-axes, 0))
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    centered = wide - wide.mean(last, keepdims=True)
    y = centered * jax.lax.rsqrt(jnp.square(centered).mean(last, keepdims=True) + eps)
    y = y if weight is None else y * weight[...]
    return (y if bias is None else y + bias[...]).astype(x.dtype)


class RMSNorm(nnx.Module):
    """Divides by the root mean square over the last axes, whose sizes are `normalized_shape`."""

    def __init__(
        self,
        normalized_shape: int | tuple[int, ...],
        eps: float | None = None,
        elementwise_affine: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
    ) -> None:
        shape = (normalized_shape,) if isinstance(normalized_shape, int) else normalized_shape
        self.axes, self.eps = len(shape), eps
        self.weight = nnx.Param(jnp.ones(shape, dtype)) if elementwise_affine else None

    def __call__(self, x: jax.Array) -> jax.Array:
        return rms_norm(x, self.weight, self.axes, self.eps)


def rms_norm(x: jax.Array, weight: Any = None, axes: int = 1, eps: float | None = None) -> jax.Array:
    """Divides by the root mean square over the last axes."""
    wide = x.astype(jnp.promote_types(x.dtype, jnp.float32))
    least = jnp.finfo(x.dtype).eps if eps is None else eps
    y = wide * jax.lax.rsqrt(jnp.square(wide).mean(tuple(range(-axes, 0)), keepdims=True) + least)
    return (y if weight is None else y * weight[...]).astype(x.dtype)


def local_response_norm(x: jax.Array, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> jax.Array:
    """Divides by the mean square of `size` channels around each: [N, C, ...] -> the same shape."""
    pads = [(0, 0), (size // 2, (size - 1) // 2), *[(0, 0)] * (x.ndim - 2)]
    window = (1, size, *[1] * (x.ndim - 2))
    sums = jax.lax.reduce_window(jnp.square(x), np.zeros((), x.dtype), jax.lax.add, window, (1,) * x.ndim, pads)
    return x / (k + alpha * (sums / size)) ** beta


class Standardize(nnx.Module):
    """Subtracts the mean of each feature and divides by its deviation. Both are measured on the training data.

    x: [N, ...], with the features along `axis`, or without `features` [N] -> the same shape.
    """

    def __init__(self, features: int | None = None, axis: int = 1, dtype: jax.typing.DTypeLike = jnp.float32) -> None:
        self.axis = axis
        shape = () if features is None else (features,)
        self.mean = Buffer(jnp.zeros(shape, dtype))
        self.std = Buffer(jnp.ones(shape, dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        shape = (-1, *[1] * (x.ndim - 1 - self.axis))
        return (x - self.mean[...].reshape(shape)) / self.std[...].reshape(shape)


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


class PReLU(nnx.Module):
    """A ReLU that multiplies negative numbers by a trained slope, one for all or one for each channel."""

    def __init__(self, num_parameters: int = 1, init: float = 0.25, dtype: jax.typing.DTypeLike = jnp.float32) -> None:
        self.weight = nnx.Param(jnp.full(num_parameters, init, dtype))

    def __call__(self, x: jax.Array) -> jax.Array:
        return prelu(x, self.weight[...])


def prelu(x: jax.Array, weight: jax.Array) -> jax.Array:
    """x: [N, C, ...], weight: [C] or [1] -> the same shape as `x`."""
    slope = weight.reshape(-1, *[1] * (x.ndim - 2)) if x.ndim > 1 else weight.reshape(())
    return jnp.where(x > 0, x, slope * x)


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
        return jnp.where(x >= 0, x, slope * x)


class Attention(nnx.Module):
    """Attention whose weights are dropped in training."""

    def __init__(self, dropout: float, *, rngs: nnx.Rngs) -> None:
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(
        self,
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        mask: jax.Array | None = None,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> jax.Array:
        return attention(q, k, v, mask, is_causal, scale, self.dropout)


def attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    mask: jax.Array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout: Callable[[jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """Scaled dot-product attention. Keys and values may have fewer heads than queries. A mask is true where a query may
    see a key, or is added to the scores. A query that sees no key gets zeros.

    q: [..., H, L, D], k: [..., h, S, D], v: [..., h, S, E] -> [..., H, L, E].
    """
    if q.ndim > 2 and k.shape[-3] < q.shape[-3]:
        k = jnp.repeat(k, q.shape[-3] // k.shape[-3], axis=-3)
    if q.ndim > 2 and v.shape[-3] < q.shape[-3]:
        v = jnp.repeat(v, q.shape[-3] // v.shape[-3], axis=-3)
    scores = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    if is_causal:
        mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if mask is None:
        weights = jax.nn.softmax(scores)
    elif mask.dtype == bool:
        seen = jnp.where(mask, scores, -jnp.inf)
        weights = jnp.where(mask, jax.nn.softmax(jnp.where(mask.any(-1, keepdims=True), seen, scores)), 0)
    else:
        weights = jax.nn.softmax(scores + mask)
    weights = weights.astype(q.dtype)
    return (weights if dropout is None else dropout(weights)) @ v


class MultiheadAttention(nnx.Module):
    """Multi-head attention with the projections of the checkpoint. Returns the results and, if asked, the weights.

    query: [N, L, E], key: [N, S, kdim], value: [N, S, vdim] -> [N, L, E], [N, L, S].
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.num_heads, self.add_zero_attn = num_heads, add_zero_attn
        xavier = nnx.initializers.xavier_uniform(in_axis=1, out_axis=0)
        if kdim is None and vdim is None:
            self.in_proj_weight = nnx.Param(xavier(rngs.params(), (3 * embed_dim, embed_dim), dtype))
        else:
            self.q_proj_weight = nnx.Param(xavier(rngs.params(), (embed_dim, embed_dim), dtype))
            self.k_proj_weight = nnx.Param(xavier(rngs.params(), (embed_dim, kdim or embed_dim), dtype))
            self.v_proj_weight = nnx.Param(xavier(rngs.params(), (embed_dim, vdim or embed_dim), dtype))
        self.is_joint = kdim is None and vdim is None
        self.in_proj_bias = nnx.Param(jnp.zeros(3 * embed_dim, dtype)) if bias else None
        normal = nnx.initializers.normal(embed_dim**-0.5)
        self.bias_k = nnx.Param(normal(rngs.params(), (1, 1, embed_dim), dtype)) if add_bias_kv else None
        self.bias_v = nnx.Param(normal(rngs.params(), (1, 1, embed_dim), dtype)) if add_bias_kv else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype, bias_init=nnx.initializers.zeros, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs) if dropout else None

    def __call__(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        key_padding_mask: jax.Array | None = None,
        attn_mask: jax.Array | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = True,
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        if query.ndim == 2:
            padding = None if key_padding_mask is None else key_padding_mask[None]
            options = (padding, attn_mask, need_weights, average_attn_weights)
            results = self(query[None], key[None], value[None], *options)
            return (results[0][0], results[1][0]) if need_weights else results[0]
        if self.is_joint:
            weights = jnp.split(self.in_proj_weight[...], 3)
        else:
            weights = [self.q_proj_weight[...], self.k_proj_weight[...], self.v_proj_weight[...]]
        biases = [0, 0, 0] if self.in_proj_bias is None else jnp.split(self.in_proj_bias[...], 3)
        q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), weights, biases, strict=True))
        n, length, features = q.shape
        count = k.shape[1]
        if self.bias_k is not None:
            k, v = (
                jnp.concatenate((x, jnp.broadcast_to(b[...], (n, 1, features))), axis=1) for x, b in ((k, self.bias_k), (v, self.bias_v))
            )
        if self.add_zero_attn:
            k, v = (jnp.pad(x, ((0, 0), (0, 1), (0, 0))) for x in (k, v))
        q, k, v = (x.reshape(n, x.shape[1], self.num_heads, -1).swapaxes(1, 2) for x in (q, k, v))
        scores = q @ k.swapaxes(-1, -2) * (features // self.num_heads) ** -0.5
        masks = []
        if attn_mask is not None:
            masks.append(attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(n, -1, length, count))
        if key_padding_mask is not None:
            masks.append(key_padding_mask[:, None, None, :])
        for mask in masks:
            mask = jnp.where(mask, -jnp.inf, 0.0).astype(scores.dtype) if mask.dtype == bool else mask
            scores = scores + jnp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, k.shape[2] - count)])
        shares = jax.nn.softmax(scores)
        shares = shares if self.dropout is None else self.dropout(shares)
        shares = shares.astype(v.dtype)
        y = self.out_proj((shares @ v).swapaxes(1, 2).reshape(n, length, features))
        if need_weights:
            return y, shares.mean(1) if average_attn_weights else shares
        return y


class RecurrentCell(nnx.Module):
    """The parameters of one step of a recurrent layer, with `gates` rows for each number of the state."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.hidden_size, self.nonlinearity = hidden_size, nonlinearity
        bound, rows = hidden_size**-0.5, self.gates * hidden_size
        init = uniform_between(-bound, bound)
        self.weight_ih = nnx.Param(init(rngs.params(), (rows, input_size), dtype))
        self.weight_hh = nnx.Param(init(rngs.params(), (rows, hidden_size), dtype))
        self.bias_ih = nnx.Param(init(rngs.params(), (rows,), dtype)) if bias else None
        self.bias_hh = nnx.Param(init(rngs.params(), (rows,), dtype)) if bias else None

    def first(self, x: jax.Array, h: jax.Array | None) -> jax.Array:
        return jnp.zeros((*x.shape[:-1], self.hidden_size), x.dtype) if h is None else h

    def sums(self, x: jax.Array, h: jax.Array) -> tuple[jax.Array, jax.Array]:
        a, b = x @ self.weight_ih[...].T, h @ self.weight_hh[...].T
        return (a, b) if self.bias_ih is None else (a + self.bias_ih[...], b + self.bias_hh[...])


class RNNCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    def __call__(self, x: jax.Array, h: jax.Array | None = None) -> jax.Array:
        a, b = self.sums(x, self.first(x, h))
        return jnp.tanh(a + b) if self.nonlinearity == "tanh" else jax.nn.relu(a + b)


class GRUCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    gates = 3

    def __call__(self, x: jax.Array, h: jax.Array | None = None) -> jax.Array:
        h = self.first(x, h)
        a, b = self.sums(x, h)
        (ar, az, an), (br, bz, bn) = jnp.split(a, 3, axis=-1), jnp.split(b, 3, axis=-1)
        r, z = jax.nn.sigmoid(ar + br), jax.nn.sigmoid(az + bz)
        n = jnp.tanh(an + r * bn)
        return n + z * (h - n)


class LSTMCell(RecurrentCell):
    """x: [N, input_size], h and c: [N, hidden_size] -> two tensors [N, hidden_size]."""

    gates = 4

    def __call__(self, x: jax.Array, h: jax.Array | None = None, c: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        h, c = self.first(x, h), self.first(x, c)
        a, b = self.sums(x, h)
        i, f, g, o = jnp.split(a + b, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c


def rotary_angles(positions: jax.Array, dims: int, base: float, dtype: jax.typing.DTypeLike) -> tuple[jax.Array, jax.Array]:
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """
    # By NumPy in float64: the last bit of a power in float32 depends on the processor, and at large positions it shows.
    frequencies = 1 / base ** (np.arange(0, dims, 2) / dims)
    angles = positions[..., None] * frequencies.astype(np.promote_types(dtype, np.float32))
    return jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype)


def apply_rotary(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotates the pairs of features i and i + D/2 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = jnp.split(x, 2, axis=-1)
    return jnp.concatenate((first * cos - second * sin, second * cos + first * sin), axis=-1)


def apply_rotary_interleaved(x: jax.Array, cos: jax.Array, sin: jax.Array) -> jax.Array:
    """Rotates the pairs of features 2 i and 2 i + 1 by the angles with these cosines and sines.

    x: [..., T, D], cos: [..., T, D/2], sin: [..., T, D/2] -> [..., T, D].
    """
    first, second = x[..., ::2], x[..., 1::2]
    return jnp.stack((first * cos - second * sin, second * cos + first * sin), axis=-1).reshape(x.shape)


def window_pads(x: jax.Array, kernel: Any, stride: Any, padding: Any, dilation: Any, ceil_mode: bool) -> list[Any]:
    """The padding of each spatial axis before and after. With `ceil_mode`, the last window may extend over the end."""
    pads = []
    for size, k, s, p, d in zip(x.shape[2:], kernel, stride, padding, dilation, strict=True):
        span = d * (k - 1) + 1
        count = (size + 2 * p - span) // s + 1
        if ceil_mode:
            count = -(-(size + 2 * p - span) // s) + 1
            count -= (count - 1) * s >= size + p
        pads.append((p, max((count - 1) * s + span - size - p, 0)))
    return pads


def gather_windows(x: jax.Array, indices: Sequence[Any]) -> jax.Array:
    """The elements at the indices [windows, taps] of each spatial axis: [N, C, ...] -> [N, C, *windows, taps]."""
    axes = len(indices)
    for axis, index in enumerate(indices):
        x = jnp.take(x, index, axis=2 + 2 * axis)
    order = (0, 1, *range(2, 2 + 2 * axes, 2), *range(3, 3 + 2 * axes, 2))
    y = x.transpose(order)
    return y.reshape(*y.shape[: 2 + axes], -1)


def slide(size: int, kernel: int, stride: int, dilation: int = 1) -> Any:
    """The indices of the elements in each window: [windows, kernel]."""
    starts = np.arange(0, size - dilation * (kernel - 1), stride)
    return starts[:, None] + dilation * np.arange(kernel)


def max_pool(
    x: jax.Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
) -> jax.Array:
    """The maximum of each window: [N, C, ...] -> [N, C, ...]."""
    axes = x.ndim - 2
    strides = each_axis(kernel_size if stride is None else stride, axes)
    dilations = each_axis(dilation, axes)
    pads = window_pads(x, kernel_size, strides, each_axis(padding, axes), dilations, ceil_mode)
    low = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    return jax.lax.reduce_window(
        x,
        np.array(low, x.dtype),
        jax.lax.max,
        (1, 1, *kernel_size),
        (1, 1, *strides),
        ((0, 0), (0, 0), *pads),
        window_dilation=(1, 1, *dilations),
    )


def max_pool_with_indices(
    x: jax.Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    dilation: int | tuple[int, ...] = 1,
    ceil_mode: bool = False,
) -> tuple[jax.Array, jax.Array]:
    """The maximum of each window, and its index within the spatial axes."""
    axes = x.ndim - 2
    strides = each_axis(kernel_size if stride is None else stride, axes)
    dilations = each_axis(dilation, axes)
    pads = ((0, 0), (0, 0), *window_pads(x, kernel_size, strides, each_axis(padding, axes), dilations, ceil_mode))
    low = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    padded = jnp.pad(x, pads, constant_values=low)
    sides = zip(padded.shape[2:], kernel_size, strides, dilations, strict=True)
    places = jnp.pad(jnp.arange(math.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:]), pads)
    return pick_largest(padded, places, [slide(*side) for side in sides])


def pick_largest(x: jax.Array, places: jax.Array, indices: Sequence[Any]) -> tuple[jax.Array, jax.Array]:
    """The largest element of each window, and its place."""
    windows = gather_windows(x, indices)
    best = windows.argmax(-1, keepdims=True)
    at = jnp.broadcast_to(gather_windows(places, indices), windows.shape)
    return tuple(jnp.take_along_axis(values, best, axis=-1)[..., 0] for values in (windows, at))


def sum_windows(x: jax.Array, kernel_size: Any, strides: Any, pads: Any) -> jax.Array:
    """The sum of each window: [N, C, ...] -> [N, C, ...]."""
    zero = np.zeros((), x.dtype)
    pads = ((0, 0), (0, 0), *pads)
    return jax.lax.reduce_window(x, zero, jax.lax.add, (1, 1, *kernel_size), (1, 1, *strides), pads)


def avg_pool(
    x: jax.Array,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    padding: int | tuple[int, ...] = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> jax.Array:
    """The mean of each window: [N, C, ...] -> [N, C, ...]."""
    axes = x.ndim - 2
    strides, amounts = each_axis(kernel_size if stride is None else stride, axes), each_axis(padding, axes)
    pads = window_pads(x, kernel_size, strides, amounts, (1,) * axes, ceil_mode)
    total = sum_windows(x, kernel_size, strides, pads)
    if divisor_override is not None:
        divisor: Any = divisor_override
    else:
        ones = jnp.ones((1, 1, *x.shape[2:]), x.dtype)
        if count_include_pad:
            ones = jnp.pad(ones, ((0, 0), (0, 0), *((p, p) for p in amounts)), constant_values=1)
            pads = [(0, max(after - p, 0)) for (_, after), p in zip(pads, amounts, strict=True)]
        divisor = sum_windows(ones, kernel_size, strides, pads)
    if jnp.issubdtype(x.dtype, jnp.floating):
        return total / divisor
    return jnp.sign(total) * jnp.sign(divisor) * (abs(total) // abs(divisor))


def lp_pool(
    x: jax.Array,
    norm_type: float,
    kernel_size: tuple[int, ...],
    stride: int | tuple[int, ...] | None = None,
    ceil_mode: bool = False,
) -> jax.Array:
    """The norm of each window: [N, C, ...] -> [N, C, ...]."""
    x = x if jnp.issubdtype(x.dtype, jnp.floating) else x.astype(jnp.float32)
    mean = avg_pool(x**norm_type, kernel_size, stride, 0, ceil_mode)
    sums = mean * math.prod(kernel_size)
    return (jnp.sign(sums) * jax.nn.relu(abs(sums))) ** (1 / norm_type)


def adaptive_windows(size: int, count: int) -> Any:
    """The indices of the elements of `count` windows that cover an axis, the last one repeated, and the windows' sizes."""
    starts = np.arange(count) * size // count
    ends = -(-(np.arange(count) + 1) * size // count)
    longest = int((ends - starts).max())
    return np.minimum(starts[:, None] + np.arange(longest), ends[:, None] - 1), ends - starts


def adaptive_avg_pool(x: jax.Array, output_size: tuple[int, ...]) -> jax.Array:
    """The means of windows that cover the spatial axes: [N, C, ...] -> [N, C, *output_size]."""
    for axis, count in enumerate(output_size, start=2):
        index, sizes = adaptive_windows(x.shape[axis], count)
        used = np.arange(index.shape[1]) < sizes[:, None]
        weights = jnp.asarray(used / sizes[:, None], x.dtype)
        shape = (*weights.shape, *[1] * (x.ndim - axis - 1))
        x = (jnp.take(x, index, axis=axis) * weights.reshape(shape)).sum(axis + 1)
    return x


def adaptive_max_pool(x: jax.Array, output_size: tuple[int, ...]) -> jax.Array:
    """The maxima of windows that cover the spatial axes: [N, C, ...] -> [N, C, *output_size]."""
    return adaptive_max_pool_with_indices(x, output_size)[0]


def adaptive_max_pool_with_indices(x: jax.Array, output_size: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
    """The maxima of windows that cover the spatial axes, and their indices within these."""
    indices = [adaptive_windows(size, count)[0] for size, count in zip(x.shape[2:], output_size, strict=True)]
    places = jnp.arange(math.prod(x.shape[2:])).reshape(1, 1, *x.shape[2:])
    return pick_largest(x, places, indices)


def max_unpool(
    x: jax.Array,
    indices: jax.Array,
    kernel_size: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_size: tuple[int, ...] | None = None,
) -> jax.Array:
    """Puts maxima where they were, and zeros elsewhere: [N, C, ...] -> [N, C, ...]."""
    if output_size is None:
        sides = zip(x.shape[2:], kernel_size, stride, padding, strict=True)
        output_size = tuple((size - 1) * s - 2 * p + k for size, k, s, p in sides)
    flat = jnp.zeros((*x.shape[:2], math.prod(output_size)), x.dtype)
    flat = jnp.put_along_axis(flat, indices.reshape(*x.shape[:2], -1), x.reshape(*x.shape[:2], -1), 2, inplace=False)
    return flat.reshape(*x.shape[:2], *output_size)


def fractional_max_pool(
    x: jax.Array, samples: jax.Array, kernel_size: tuple[int, ...], output_size: tuple[int, ...]
) -> tuple[jax.Array, jax.Array]:
    """The maxima of windows at places that random numbers choose, and their indices within the spatial axes.

    x: [N, C, ...], samples: [N, C, axes] -> two tensors [N, C, *output_size].
    """

    def pool(image: jax.Array, sample: jax.Array) -> tuple[jax.Array, jax.Array]:
        indices = []
        for size, k, count, u in zip(image.shape, kernel_size, output_size, sample[::-1], strict=True):
            alpha = (size - k) / (count - 1) if count > 1 else 0.0
            starts = jnp.floor((jnp.arange(count) + u) * alpha) - jnp.floor(u * alpha)
            starts = jnp.where(jnp.arange(count) == count - 1, size - k, starts).astype(int)
            indices.append(starts[:, None] + jnp.arange(k))
        places = jnp.arange(image.size).reshape(1, 1, *image.shape)
        values, at = pick_largest(image[None, None], places, indices)
        return values[0, 0], at[0, 0]

    return jax.vmap(jax.vmap(pool))(x, samples)


def unpacked(values: str, shape: tuple[int, ...], dtype: str) -> np.ndarray:
    """A constant whose bytes are the text, compressed."""
    content = zlib.decompress(base64.b64decode(values))
    return np.frombuffer(content, jnp.dtype(dtype)).reshape(shape)


def vector_norm(x: jax.Array, ord: Any = 2, axis: Any = None, keepdims: bool = False) -> jax.Array:
    """The norm of vectors. Its gradient at zero is zero."""
    if ord == 2:
        total = jnp.square(x).sum(axis, keepdims=keepdims)
        return jnp.where(total == 0, 0, jnp.sqrt(jnp.where(total == 0, 1, total)))
    return jnp.linalg.vector_norm(x, ord=ord, axis=axis, keepdims=keepdims)


def normalize(x: jax.Array, ord: Any = 2, axis: int = 1, eps: float = 1e-12) -> jax.Array:
    """Vectors divided by their norms."""
    return x / jnp.maximum(vector_norm(x, ord, axis, keepdims=True), eps)


def cumulative_extreme(x: jax.Array, axis: int, largest: bool) -> tuple[jax.Array, jax.Array]:
    """The largest or smallest element so far, and its index: of equal ones, the last."""
    index = jnp.broadcast_to(jnp.arange(x.shape[axis]).reshape(-1, *[1] * (x.ndim - 1 - axis)), x.shape)

    def choose(a: tuple[jax.Array, jax.Array], b: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        better = (b[0] >= a[0] if largest else b[0] <= a[0]) | (b[0] != b[0])  # NaN stays
        return jnp.where(better, b[0], a[0]), jnp.where(better, b[1], a[1])

    return jax.lax.associative_scan(choose, (x, index), axis=axis)


def along_axis(index: jax.Array, axis: int) -> tuple[jax.Array, ...]:
    """The index along one axis, and each place's own along the others."""
    places = list(jnp.indices(index.shape, sparse=True))
    places[axis] = index
    return tuple(places)


def gather(x: jax.Array, index: jax.Array, axis: int) -> jax.Array:
    """The elements at the index along one axis: the other axes of `index` may be shorter than those of `x`."""
    if not x.ndim or not index.ndim:
        return jnp.broadcast_to(x.reshape(-1)[index], index.shape)
    return x[along_axis(index, axis)]


def scatter(x: jax.Array, index: jax.Array, value: Any, axis: int, method: str = "set") -> jax.Array:
    """The tensor with values at the index along one axis."""
    if not x.ndim:
        x, index = x.reshape(1), index.reshape(-1)
        return scatter(x, index, jnp.reshape(value, -1) if jnp.ndim(value) else value, 0, method).reshape(())
    if jnp.ndim(value):
        value = value[tuple(slice(size) for size in index.shape)]
    return getattr(x.at[along_axis(index, axis)], method)(value)


def scatter_reduce(x: jax.Array, index: jax.Array, src: jax.Array, axis: int, reduce: str, include_self: bool = True) -> jax.Array:
    """The sums, products, means or extremes of the values at each index along one axis."""
    method = {"sum": "add", "mean": "add", "prod": "multiply", "amax": "max", "amin": "min"}[reduce]
    if not include_self:
        is_float = jnp.issubdtype(x.dtype, jnp.floating)
        info = jnp.finfo(x.dtype) if is_float else jnp.iinfo(x.dtype)
        low, high = (-jnp.inf, jnp.inf) if is_float else (info.min, info.max)
        x = scatter(x, index, {"add": 0, "multiply": 1, "max": low, "min": high}[method], axis)
    total = scatter(x, index, src, axis, method)
    if reduce != "mean":
        return total
    counts = scatter(jnp.full_like(x, int(include_self)), index, jnp.ones_like(src), axis, "add")
    counts = jnp.maximum(counts, 1)
    return total / counts if jnp.issubdtype(x.dtype, jnp.floating) else total // counts


def index_add(x: jax.Array, index: jax.Array, source: jax.Array, axis: int, alpha: float = 1) -> jax.Array:
    """The tensor with `alpha * source` added at the index along one axis."""
    if not x.ndim:
        return x + alpha * source.sum()
    where = (slice(None),) * axis + (index.reshape(-1),)
    if x.dtype == bool:
        return x.at[where].max(source & bool(alpha))
    return x.at[where].add((alpha * source).astype(x.dtype))


def pad(x: jax.Array, pads: tuple[tuple[int, int], ...], value: float) -> jax.Array:
    """The tensor with a value at its ends, or without its ends where the amounts are negative."""
    return jax.lax.pad(x, np.array(value, x.dtype), [(before, after, 0) for before, after in pads])


def top_k(x: jax.Array, k: int, axis: int = -1, largest: bool = True) -> tuple[jax.Array, jax.Array]:
    """The largest or smallest elements along an axis, and their indices."""
    if not x.ndim:
        return x, jnp.zeros((), int)
    indices = jnp.argsort(x, axis=axis, descending=largest)
    indices = jax.lax.slice_in_dim(indices, 0, k, axis=axis)
    return jnp.take_along_axis(x, indices, axis=axis), indices


def diag_embed(x: jax.Array, offset: int = 0, axis1: int = -2, axis2: int = -1) -> jax.Array:
    """Matrices with the last axis on a diagonal."""
    size = x.shape[-1] + abs(offset)
    rows = jnp.arange(x.shape[-1]) + max(-offset, 0)
    matrices = jnp.zeros((*x.shape[:-1], size, size), x.dtype).at[..., rows, rows + offset].set(x)
    return jnp.moveaxis(matrices, (-2, -1), (axis1, axis2))


def grouped_linear(x: jax.Array, index: jax.Array, weight: jax.Array) -> jax.Array:
    """Multiplies each row by the matrix of its group, one group after the other.

    x: [..., features], index: [...], weight: [groups, units, features] -> [..., units].
    """
    start = jnp.zeros((*x.shape[:-1], weight.shape[1]), jnp.promote_types(x.dtype, weight.dtype))

    def add(total: jax.Array, group: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, None]:
        number, matrix = group
        return jnp.where((index == number)[..., None], x @ matrix.T, total), None

    return jax.lax.scan(add, start, (jnp.arange(len(weight)), weight))[0]


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


def cdist(x: jax.Array, other: jax.Array, p: float = 2) -> jax.Array:
    """The distances of all pairs of rows: [..., n, k], [..., m, k] -> [..., n, m]."""
    return vector_norm(x[..., :, None, :] - other[..., None, :, :], p, -1)


def pixel_shuffle(x: jax.Array, upscale_factor: int) -> jax.Array:
    """Channels to space: [..., C * r * r, H, W] -> [..., C, H * r, W * r]."""
    r, (height, width) = upscale_factor, x.shape[-2:]
    blocks = x.reshape(-1, r, r, height, width).transpose(0, 3, 1, 4, 2)
    return blocks.reshape(*x.shape[:-3], x.shape[-3] // r**2, height * r, width * r)


def pixel_unshuffle(x: jax.Array, downscale_factor: int) -> jax.Array:
    """Space to channels: [..., C, H * r, W * r] -> [..., C * r * r, H, W]."""
    r, (height, width) = downscale_factor, x.shape[-2:]
    blocks = x.reshape(-1, height // r, r, width // r, r).transpose(0, 2, 4, 1, 3)
    return blocks.reshape(*x.shape[:-3], x.shape[-3] * r**2, height // r, width // r)


def channel_shuffle(x: jax.Array, groups: int) -> jax.Array:
    """The channels of groups in turn: [N, C, ...] -> the same shape."""
    return x.reshape(x.shape[0], groups, -1, *x.shape[2:]).swapaxes(1, 2).reshape(x.shape)


def unfold(x: jax.Array, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> jax.Array:
    """The elements of each window as a column: [..., C, H, W] -> [..., C * taps, windows]."""
    images = x.reshape(-1, *x.shape[-3:])
    strides, dilations = each_axis(stride, 2), each_axis(dilation, 2)
    padded = jnp.pad(images, ((0, 0), (0, 0), *((p, p) for p in each_axis(padding, 2))))
    sides = zip(padded.shape[2:], kernel_size, strides, dilations, strict=True)
    windows = gather_windows(padded, [slide(*side) for side in sides])
    columns = windows.transpose(0, 1, 4, 2, 3).reshape(len(images), -1, math.prod(windows.shape[2:4]))
    return columns.reshape(*x.shape[:-3], *columns.shape[1:])


def fold(x: jax.Array, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> jax.Array:
    """The sums of overlapping windows, which `unfold` takes apart: [..., C * taps, windows] -> [..., C, H, W]."""
    channels = x.shape[-2] // math.prod(kernel_size)
    zeros = jnp.zeros((*x.shape[:-2], channels, *output_size), jnp.promote_types(x.dtype, jnp.float16))
    back = jax.linear_transpose(lambda image: unfold(image, kernel_size, dilation, padding, stride), zeros)
    return back(x.astype(zeros.dtype))[0].astype(x.dtype)


def sliding_window(x: jax.Array, axis: int, size: int, step: int) -> jax.Array:
    """Windows along an axis, with their elements along a new last axis."""
    axis = axis % x.ndim
    return jnp.moveaxis(jnp.take(x, slide(x.shape[axis], size, step), axis=axis), axis + 1, -1)


def cubic(x: Any, a: float) -> Any:
    """The kernel of cubic interpolation."""
    near, far = ((a + 2) * x - (a + 3)) * x * x + 1, ((a * x - 5 * a) * x + 8 * a) * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))


def resize_weights(size: int, count: int, ratio: float, mode: str, align_corners: bool, antialias: bool) -> Any:
    """How much each element of an axis is worth for each element of the resampled axis: [count, size]."""
    place = np.arange(count, dtype=np.float64)
    if mode == "area":
        index, sizes = adaptive_windows(size, count)
        weights = np.zeros((count, size))
        used = np.arange(index.shape[1]) < sizes[:, None]
        np.add.at(weights, (np.arange(count)[:, None], index), used / sizes[:, None])
        return weights
    if mode in ("nearest", "nearest-exact"):
        scaled = np.float32(ratio) * (place.astype(np.float32) + np.float32(0.5 if mode == "nearest-exact" else 0))
        return np.eye(size)[np.minimum(np.floor(scaled).astype(int), size - 1)]
    if align_corners:
        ratio = (size - 1) / (count - 1) if count > 1 else 0.0
    center = place * ratio if align_corners and not antialias else (place + 0.5) * ratio - 0.5
    if antialias:
        scale = max(ratio, 1.0)
        distance = np.abs(np.arange(size) - center[:, None]) / scale
        if mode == "lanczos":
            weights = np.where(distance < 3, np.sinc(distance) * np.sinc(distance / 3), 0.0)
        else:
            weights = np.maximum(1 - distance, 0) if mode != "bicubic" else cubic(distance, -0.5)
        return weights / weights.sum(1, keepdims=True)
    if mode != "bicubic":
        center = np.clip(center, 0, size - 1)
    taps = np.floor(center)[:, None] + (np.arange(-1, 3) if mode == "bicubic" else np.arange(2))
    distance = np.abs(taps - center[:, None])
    values = cubic(distance, -0.75) if mode == "bicubic" else np.maximum(1 - distance, 0)
    weights = np.zeros((count, size))
    np.add.at(weights, (np.arange(count)[:, None], np.clip(taps, 0, size - 1).astype(int)), values)
    return weights


def interpolate(
    x: jax.Array,
    size: tuple[int, ...],
    ratios: tuple[float | None, ...],
    mode: str = "nearest",
    align_corners: bool = False,
    antialias: bool = False,
) -> jax.Array:
    """Resamples the spatial axes. `ratios` are the steps between elements, if not the ratios of the sizes."""
    for axis, (count, ratio) in enumerate(zip(size, ratios, strict=True), start=2):
        step = x.shape[axis] / count if ratio is None else ratio
        weights = resize_weights(x.shape[axis], count, step, mode, align_corners, antialias)
        if mode.startswith("nearest"):
            x = jnp.take(x, weights.argmax(1), axis=axis)
        else:
            y = jnp.tensordot(x, jnp.asarray(weights, x.dtype), (axis, 1), precision="highest")
            x = jnp.moveaxis(y, -1, axis)
    return x


def sample_grid(size: int, place: jax.Array, padding_mode: str, align_corners: bool) -> jax.Array:
    """The place in pixels of a place from -1 to 1, if it may be outside, by the rule of the padding."""
    place = (place + 1) * ((size - 1) / 2 if align_corners else size / 2) - (0 if align_corners else 0.5)
    return reflect_place(size, place, padding_mode, align_corners)


def reflect_place(size: int, place: jax.Array, padding_mode: str, align_corners: bool) -> jax.Array:
    """A place in pixels within the image, by the rule of the padding."""
    if padding_mode == "reflection":
        low, span = (0.0, size - 1) if align_corners else (-0.5, size)
        turned = jnp.abs(place - low) % (2 * span) if span else jnp.zeros_like(place)
        place = jnp.minimum(turned, 2 * span - turned) + low
    return place if padding_mode == "zeros" else jnp.clip(place, 0, size - 1)


def grid_sample(
    x: jax.Array,
    grid: jax.Array,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool = False,
) -> jax.Array:
    """The values of images at places from -1 to 1: x: [N, C, ...], grid: [N, ..., axes] -> [N, C, ...]."""
    sizes, rule = x.shape[2:], (padding_mode, align_corners)
    places = [grid[..., axis] for axis in reversed(range(len(sizes)))]
    inner = ("zeros", align_corners) if mode == "bicubic" else rule
    places = [sample_grid(size, place, *inner) for size, place in zip(sizes, places, strict=True)]
    taps: list[list[tuple[jax.Array, jax.Array]]] = []
    for place in places:
        floor = jnp.floor(place)
        part = place - floor
        if mode == "nearest":
            taps.append([(jnp.round(place), jnp.ones_like(place))])
        elif mode == "bilinear":
            taps.append([(floor, 1 - part), (floor + 1, part)])
        else:
            a, near, far = -0.75, (part, 1 - part), (1 + part, 2 - part)
            inside = [((a + 2) * t - (a + 3)) * t * t + 1 for t in near]
            outside = [((a * t - 5 * a) * t + 8 * a) * t - 4 * a for t in far]
            weights = [outside[0], inside[0], inside[1], outside[1]]
            taps.append([(floor + i - 1, weight) for i, weight in enumerate(weights)])
    total = jnp.zeros((*x.shape[:2], *grid.shape[1:-1]), x.dtype)
    rows = jnp.arange(len(x)).reshape(-1, *[1] * (grid.ndim - 2))
    for choice in itertools.product(*taps):
        index, weight = [], jnp.ones_like(places[0])
        for (tap, share), size in zip(choice, sizes, strict=True):
            tap = reflect_place(size, tap, *rule) if mode == "bicubic" else tap
            weight = weight * jnp.where((tap >= 0) & (tap <= size - 1), share, 0)
            index.append(jnp.clip(tap, 0, size - 1).astype(int))
        total = total + weight[:, None] * jnp.moveaxis(x[(rows, slice(None), *index)], -1, 1)
    return total


def to_complex(x: jax.Array) -> jax.Array:
    """Pairs along the last axis as complex numbers."""
    return jax.lax.complex(x[..., 0], x[..., 1])


def to_pairs(x: jax.Array) -> jax.Array:
    """Complex numbers as pairs along a last axis."""
    return jnp.stack((x.real, x.imag), axis=-1)


def short_time_window(n_fft: int, win_length: int | None, window: jax.Array | None, like: jax.Array) -> jax.Array:
    """The weights of a window, in the middle of `n_fft` numbers."""
    size = win_length or n_fft
    weights = jnp.ones(size, like.dtype) if window is None else window
    return jnp.pad(weights, ((n_fft - size) // 2, n_fft - size - (n_fft - size) // 2))


def stft(
    x: jax.Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: jax.Array | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    pad_mode: str = "reflect",
) -> jax.Array:
    """The Fourier transforms of windows: [..., T] -> [..., frequencies, windows, 2]."""
    modes = {"replicate": "edge", "circular": "wrap"}
    if center:
        x = jnp.pad(x, [(0, 0)] * (x.ndim - 1) + [(n_fft // 2, n_fft // 2)], mode=modes.get(pad_mode, pad_mode))
    frames = x[..., slide(x.shape[-1], n_fft, hop_length or n_fft // 4)]
    frames = frames * short_time_window(n_fft, win_length, window, x)
    spectrum = jnp.fft.rfft(frames) if onesided else jnp.fft.fft(frames)
    return to_pairs((spectrum * (n_fft**-0.5 if normalized else 1)).swapaxes(-1, -2))


def istft(
    x: jax.Array,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: jax.Array | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool = True,
    length: int | None = None,
) -> jax.Array:
    """The signal whose windows have these transforms: [..., frequencies, windows, 2] -> [..., T]."""
    spectrum = to_complex(x).swapaxes(-1, -2) * (n_fft**0.5 if normalized else 1)
    frames = jnp.fft.irfft(spectrum, n_fft) if onesided else jnp.fft.ifft(spectrum).real
    weights = short_time_window(n_fft, win_length, window, frames)
    places = np.arange(frames.shape[-2])[:, None] * (hop_length or n_fft // 4) + np.arange(n_fft)
    total = int(places[-1, -1]) + 1
    signal = jnp.zeros((*frames.shape[:-2], total), frames.dtype).at[..., places].add(frames * weights)
    envelope = jnp.zeros(total, frames.dtype).at[places].add(weights**2)
    start = n_fft // 2 if center else 0
    end = start + length if length is not None else total - start
    covered = slice(start, min(end, total))
    y = signal[..., covered] / envelope[covered]
    return jnp.pad(y, [(0, 0)] * (y.ndim - 1) + [(0, end - covered.stop)])


def sample_linear(x: jax.Array, rows: jax.Array, columns: jax.Array) -> jax.Array:
    """The values of images between their pixels, by linear interpolation; outside they are 0.

    x: [N, C, H, W], rows: [N, P], columns: [N, P] -> [N, C, P].
    """
    height, width = x.shape[-2:]
    total = jnp.zeros((*x.shape[:2], rows.shape[1]), x.dtype)
    for i, j in itertools.product((0, 1), (0, 1)):
        row, column = jnp.floor(rows) + i, jnp.floor(columns) + j
        weight = (1 - jnp.abs(rows - row)) * (1 - jnp.abs(columns - column))
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = jnp.where(inside, row.astype(int) * width + column.astype(int), 0)
        values = jnp.take_along_axis(x.reshape(*x.shape[:2], -1), index[:, None], axis=2)
        total = total + jnp.where(inside[:, None], weight[:, None] * values, 0)
    return total


class DeformConv(nnx.Module):
    """A convolution whose taps are moved by offsets, and weighted by a mask if there is one.

    x: [N, C, H, W], offset: [N, 2 * G * taps, h, w], mask: [N, G * taps, h, w] -> [N, D, h, w].
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: tuple[int, int],
        stride: int | tuple[int, ...] = 1,
        padding: int | tuple[int, ...] = 0,
        dilation: int | tuple[int, ...] = 1,
        groups: int = 1,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.kernel_size, self.groups = kernel_size, groups
        self.stride, self.padding, self.dilation = (each_axis(n, 2) for n in (stride, padding, dilation))
        shape = (out_channels, in_channels // groups, *kernel_size)
        bound = math.prod(shape[1:]) ** -0.5
        init = uniform_between(-bound, bound)
        self.weight = nnx.Param(init(rngs.params(), shape, dtype))
        self.bias = nnx.Param(init(rngs.params(), (out_channels,), dtype)) if bias else None

    def positions(self, offset: jax.Array, axis: int) -> jax.Array:
        """Where the taps are along one axis of the image: [N, G, taps, h, w]."""
        rows, columns = self.kernel_size
        taps = np.indices((rows, columns))[axis].reshape(-1, 1, 1) * self.dilation[axis]
        steps = np.arange(offset.shape[2 + axis]) * self.stride[axis] - self.padding[axis]
        start = taps + (steps if axis else steps[:, None])
        return offset.reshape(len(offset), -1, rows * columns, 2, *offset.shape[2:])[:, :, :, axis] + start

    def __call__(self, x: jax.Array, offset: jax.Array, mask: jax.Array | None = None) -> jax.Array:
        rows, columns = self.positions(offset, 0), self.positions(offset, 1)
        n, g, taps, height, width = rows.shape
        images = x.reshape(n * g, -1, *x.shape[2:])
        values = sample_linear(images, rows.reshape(n * g, -1), columns.reshape(n * g, -1))
        values = values.reshape(n, g, -1, taps, height * width)
        if mask is not None:
            values = values * mask.reshape(n, g, 1, taps, height * width)
        values = values.reshape(n, self.groups, -1, height * width)
        weight = self.weight[...].reshape(self.groups, len(self.weight) // self.groups, -1)
        y = (weight @ values).reshape(n, -1, height, width)
        return y if self.bias is None else y + self.bias[...][:, None, None]
