"""Convolutions: definitions for the files of Flax."""

from __future__ import annotations

import jax
import jax.numpy as jnp

from ...python.array_library.array_convolution import each_axis, list_pads, list_transposed_pads, transpose_kernel


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
    pads = list_pads(weight.shape[2:], padding, dilations)
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
    dilations = each_axis(dilation, axes)
    pads = list_transposed_pads(weight.shape[2:], padding, output_padding, dilations)
    layout = ("NC" + "DHW"[-axes:], "OI" + "DHW"[-axes:], "NC" + "DHW"[-axes:])
    y = jax.lax.conv_general_dilated(
        x,
        transpose_kernel(weight, groups),
        (1,) * axes,
        pads,
        lhs_dilation=each_axis(stride, axes),
        rhs_dilation=dilations,
        dimension_numbers=layout,
        feature_group_count=groups,
    )
    return y if bias is None else y + bias.reshape(-1, *[1] * axes)
