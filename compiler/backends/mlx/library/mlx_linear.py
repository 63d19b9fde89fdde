"""Parts of embeddings: definitions for the files of MLX."""

from __future__ import annotations

import mlx.core as mx

from .mlx_indexing import place_extremes


def set_row(table: mx.array, row: int, value: mx.array | float) -> mx.array:
    """The table with another row."""
    return mx.where((mx.arange(len(table)) == row % len(table))[:, None], value, table)


def segment_sum(values: mx.array, segments: mx.array, count: int) -> mx.array:
    """The sums of the rows of each segment."""
    return mx.zeros((count, *values.shape[1:]), values.dtype).at[segments].add(values)


def segment_max(values: mx.array, segments: mx.array, count: int) -> mx.array:
    """The maxima of the rows of each segment."""
    return place_extremes(mx.full((count, *values.shape[1:]), -mx.inf, values.dtype), segments, values, "maximum")


def indices(shape: tuple[int, int]) -> tuple[mx.array, mx.array]:
    """The row and the column of each element of a matrix."""
    rows, columns = (mx.arange(size) for size in shape)
    return mx.broadcast_to(rows[:, None], shape), mx.broadcast_to(columns, shape)
