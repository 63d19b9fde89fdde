"""Convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from .array_words import (
    Array,
    DType,
    Module,
    Param,
    Rngs,
    conv,
    conv_transpose,
    uniform_between,
    xp,
)


def each_axis(value: int | Sequence[int], axes: int) -> tuple[int, ...]:
    """One number for each axis."""
    return (value,) * axes if isinstance(value, int) else tuple(value)


def list_pads(kernel: Sequence[int], padding: int | Sequence[int] | str, dilations: Sequence[int]) -> list[tuple[int, int]]:
    """List the padding before and after each axis. With "same", the output of stride 1 is as long as the input."""
    if isinstance(padding, str):
        totals = [d * (k - 1) for k, d in zip(kernel, dilations, strict=True)]
        return [(total // 2, total - total // 2) for total in totals]
    return [(amount, amount) for amount in each_axis(padding, len(kernel))]


class Conv(Module):
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
        dtype: DType = xp.float32,
        weight_init: Callable[..., Array] | None = None,
        bias_init: Callable[..., Array] | None = None,
        *,
        rngs: Rngs,
    ) -> None:
        self.stride, self.padding, self.dilation = stride, padding, dilation
        self.groups, self.padding_mode = groups, padding_mode
        shape = (out_channels, in_channels // groups, *kernel_size)
        bound = math.prod(shape[1:]) ** -0.5
        init = uniform_between(-bound, bound)
        self.weight = Param((weight_init or init)(rngs.params(), shape, dtype))
        self.bias = Param((bias_init or init)(rngs.params(), (out_channels,), dtype)) if bias else None

    def __call__(self, x: Array) -> Array:
        bias = None if self.bias is None else self.bias[...]
        options = (self.stride, self.padding, self.dilation, self.groups, self.padding_mode)
        return conv(x, self.weight[...], bias, *options)


# conv: each framework's own.


def transpose_kernel(weight: Array, groups: int) -> Array:
    """Turn the kernel of a transposed convolution into an ordinary one: [in, out / groups, ...] -> [out, in / groups, ...]."""
    kernel = weight.reshape(groups, -1, *weight.shape[1:]).swapaxes(1, 2)
    return xp.flip(kernel.reshape(-1, *kernel.shape[2:]), tuple(range(2, weight.ndim)))


def list_transposed_pads(
    kernel: Sequence[int], padding: int | Sequence[int], output_padding: int | Sequence[int], dilations: Sequence[int]
) -> list[tuple[int, int]]:
    """List the padding that makes an ordinary convolution of a transposed one: before and after each axis."""
    amounts, extra = each_axis(padding, len(kernel)), each_axis(output_padding, len(kernel))
    return [(d * (k - 1) - p, d * (k - 1) - p + e) for k, p, e, d in zip(kernel, amounts, extra, dilations, strict=True)]


class ConvTranspose(Module):
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
        dtype: DType = xp.float32,
        weight_init: Callable[..., Array] | None = None,
        bias_init: Callable[..., Array] | None = None,
        *,
        rngs: Rngs,
    ) -> None:
        self.options = (stride, padding, output_padding, groups, dilation)
        shape = (in_channels, out_channels // groups, *kernel_size)
        bound = math.prod(shape[1:]) ** -0.5
        init = uniform_between(-bound, bound)
        self.weight = Param((weight_init or init)(rngs.params(), shape, dtype))
        self.bias = Param((bias_init or init)(rngs.params(), (out_channels,), dtype)) if bias else None

    def __call__(self, x: Array) -> Array:
        return conv_transpose(x, self.weight[...], None if self.bias is None else self.bias[...], *self.options)
