"""Convolutions: definitions for the files of Flax."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...python.array_library.array_convolution import each_axis


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
