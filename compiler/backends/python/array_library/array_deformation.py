"""Values between pixels."""

from __future__ import annotations

import itertools

from .array_words import Array, Int, xp


def sample_linear(x: Array, rows: Array, columns: Array) -> Array:
    """The values of images between their pixels, by linear interpolation; outside they are 0.

    x: [N, C, H, W], rows: [N, P], columns: [N, P] -> [N, C, P].
    """
    height, width = x.shape[-2:]
    total = xp.zeros((*x.shape[:2], rows.shape[1]), x.dtype)
    for i, j in itertools.product((0, 1), (0, 1)):
        row, column = xp.floor(rows) + i, xp.floor(columns) + j
        weight = (1 - xp.abs(rows - row)) * (1 - xp.abs(columns - column))
        inside = (row >= 0) & (row < height) & (column >= 0) & (column < width)
        index = xp.where(inside, row.astype(Int) * width + column.astype(Int), 0)
        values = xp.take_along_axis(x.reshape(*x.shape[:2], -1), index[:, None], axis=2)
        total = total + xp.where(inside[:, None], weight[:, None] * values, 0)
    return total
