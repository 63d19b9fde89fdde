"""Convolutions: definitions for the files of Flax."""

from __future__ import annotations

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from ...python.array_library.array_convolution import each_axis
from .flax_variables import uniform_between


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
