"""Values between pixels."""

from __future__ import annotations

import itertools
import math

from .array_convolution import each_axis
from .array_words import Array, DType, Int, Module, Param, Rngs, np, uniform_between, xp


def sample_linear(x: Array, rows: Array, columns: Array) -> Array:
    """The values of images between their pixels, by linear interpolation; outside they are 0.

    x: [N, C, H, W], rows: [N, P], columns: [N, P] -> [N, C, P].
    """
    height, width = x.shape[-2:]
    total = xp.zeros((*x.shape[:2], rows.shape[1]), x.dtype)
    # At a pixel, the gradient of a position is the difference to the next one.
    down, right = rows - xp.floor(rows), columns - xp.floor(columns)
    for i, j in itertools.product((0, 1), (0, 1)):
        row, column = xp.floor(rows) + i, xp.floor(columns) + j
        weight = (down if i else 1 - down) * (right if j else 1 - right)
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        # In integers: float16 has not all of them above 2048, and bfloat16 above 256.
        index = xp.stop_gradient(xp.where(inside, row.astype(Int) * width + column.astype(Int), 0))
        values = xp.take_along_axis(x.reshape(*x.shape[:2], -1), index[:, None], axis=2)
        total = total + xp.where(inside[:, None], weight[:, None] * values, 0)
    return total


class DeformConv(Module):
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
        dtype: DType = xp.float32,
        *,
        rngs: Rngs,
    ) -> None:
        self.kernel_size, self.groups = kernel_size, groups
        self.stride, self.padding, self.dilation = (each_axis(n, 2) for n in (stride, padding, dilation))
        shape = (out_channels, in_channels // groups, *kernel_size)
        bound = math.prod(shape[1:]) ** -0.5
        init = uniform_between(-bound, bound)
        self.weight = Param(init(rngs.params(), shape, dtype))
        self.bias = Param(init(rngs.params(), (out_channels,), dtype)) if bias else None

    def positions(self, offset: Array, axis: int) -> Array:
        """Where the taps are along one axis of the image: [N, G, taps, h, w]."""
        rows, columns = self.kernel_size
        taps = np.indices((rows, columns))[axis].reshape(-1, 1, 1) * self.dilation[axis]
        steps = np.arange(offset.shape[2 + axis]) * self.stride[axis] - self.padding[axis]
        start = taps + (steps if axis else steps[:, None])
        return offset.reshape(offset.shape[0], -1, rows * columns, 2, *offset.shape[2:])[:, :, :, axis] + start

    def __call__(self, x: Array, offset: Array, mask: Array | None = None) -> Array:
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
