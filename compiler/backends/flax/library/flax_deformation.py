"""Deformable convolutions: definitions for the files of Flax."""

from __future__ import annotations

import math

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from ...python.array_library.array_convolution import each_axis
from ...python.array_library.array_deformation import sample_linear
from .flax_variables import uniform_between


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
        return offset.reshape(offset.shape[0], -1, rows * columns, 2, *offset.shape[2:])[:, :, :, axis] + start

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
