"""Convolutions: definitions for the files of MLX."""

from __future__ import annotations

from typing import Any

import mlx.core as mx

from ...python.array_library.array_convolution import each_axis, list_pads, list_transposed_pads, transpose_kernel
from ...python.array_library.array_indexing import pad
from ...python.array_library.array_spectra import pad_edges


def conv(
    x: mx.array,
    weight: mx.array,
    bias: mx.array | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] | str = 0,
    dilation: int | tuple[int, ...] = 1,
    groups: int = 1,
    padding_mode: str = "zeros",
) -> mx.array:
    """x: [N, I, ...], weight: [O, I / groups, ...] -> [N, O, ...]."""
    axes = x.ndim - 2
    strides, dilations = each_axis(stride, axes), each_axis(dilation, axes)
    pads = list_pads(weight.shape[2:], padding, dilations)
    if padding_mode != "zeros":
        x = x[(..., *(slice(max(-p, 0), n - max(-q, 0)) for (p, q), n in zip(pads, x.shape[2:], strict=True)))]
        x = pad_edges(x, [(0, 0), (0, 0), *((max(p, 0), max(q, 0)) for p, q in pads)], padding_mode)
        pads = [(0, 0)] * axes
    y = convolve_channels_last(x, weight, strides, pads, dilations, (1,) * axes, groups)
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)


def convolve_channels_last(x: mx.array, weight: mx.array, strides: Any, pads: Any, dilations: Any, spread: Any, groups: int) -> mx.array:
    """MLX's convolution, with channels as the second axis of all tensors. `spread` is the distance of inputs."""
    options = {
        "stride": list(strides),
        "padding": ([before for before, _ in pads], [after for _, after in pads]),
        "kernel_dilation": list(dilations),
        "input_dilation": list(spread),
    }
    x, weight = mx.moveaxis(x, 1, -1), mx.moveaxis(weight, 1, -1)
    if groups > 1 and x.ndim == 5:  # MLX has no groups of three axes
        parts = zip(mx.split(x, groups, axis=-1), mx.split(weight, groups), strict=True)
        y = mx.concatenate([mx.conv_general(part, kernel, **options) for part, kernel in parts], axis=-1)
    else:
        y = mx.conv_general(x, weight, **options, groups=groups)
    return mx.moveaxis(y, -1, 1)


def conv_transpose(
    x: mx.array,
    weight: mx.array,
    bias: mx.array | None = None,
    stride: int | tuple[int, ...] = 1,
    padding: int | tuple[int, ...] = 0,
    output_padding: int | tuple[int, ...] = 0,
    groups: int = 1,
    dilation: int | tuple[int, ...] = 1,
) -> mx.array:
    """The gradient of a convolution by its input. x: [N, I, ...], weight: [I, O / groups, ...] -> [N, O, ...]."""
    axes = x.ndim - 2
    dilations = each_axis(dilation, axes)
    pads = list_transposed_pads(weight.shape[2:], padding, output_padding, dilations)
    # With spread inputs, MLX is wrong for negative padding, and its gradients for padding wider than the kernel's reach.
    reach = [d * (k - 1) for k, d in zip(weight.shape[2:], dilations, strict=True)]
    inner = [tuple(min(max(amount, 0), most) for amount in ends) for ends, most in zip(pads, reach, strict=True)]
    y = convolve_channels_last(x, transpose_kernel(weight, groups), (1,) * axes, inner, dilations, each_axis(stride, axes), groups)
    outer = [(p - a, q - b) for (p, q), (a, b) in zip(pads, inner, strict=True)]
    y = pad(y, ((0, 0), (0, 0), *outer), 0)
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)
