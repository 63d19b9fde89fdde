"""Linear layers and embeddings: definitions for the files of MLX."""

from __future__ import annotations

import mlx.core as mx
import mlx.nn as nn

from .mlx_indexing import vector_norm


class PaddedEmbedding(nn.Module):
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
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.weight = draw_table(num_embeddings, embedding_dim, padding_idx, dtype)

    def __call__(self, indices: mx.array) -> mx.array:
        rows = embed(indices, self.weight, self.padding_idx)
        return rows if self.max_norm is None else limit_norms(rows, self.max_norm, self.norm_type)


def draw_table(rows: int, columns: int, padding_idx: int | None, dtype: mx.Dtype) -> mx.array:
    """A table of random numbers, whose row `padding_idx` is zero."""
    table = mx.random.normal((rows, columns))
    if padding_idx is not None:
        table = mx.where((mx.arange(rows) == padding_idx % rows)[:, None], 0, table)
    return table.astype(dtype)


def embed(indices: mx.array, weight: mx.array, padding_idx: int | None = None) -> mx.array:
    """The rows of a table. The row `padding_idx` gets no gradient.

    indices: [...], weight: [N, D] -> [..., D].
    """
    if padding_idx is not None:
        padding = (mx.arange(len(weight)) == padding_idx % len(weight))[:, None]
        weight = mx.where(padding, mx.stop_gradient(weight), weight)
    return weight[indices]


def limit_norms(rows: mx.array, max_norm: float, norm_type: float) -> mx.array:
    """Scales down rows whose norm is larger than `max_norm`."""
    norms = vector_norm(rows, norm_type, -1, keepdims=True)
    limited = mx.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    return rows + mx.stop_gradient(limited - rows)


class EmbeddingBag(nn.Module):
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
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.mode, self.include_last_offset = mode, include_last_offset
        self.weight = draw_table(num_embeddings, embedding_dim, padding_idx, dtype)

    def __call__(self, indices: mx.array, offsets: mx.array | None = None, per_sample_weights: mx.array | None = None) -> mx.array:
        if offsets is None:
            bags, count = mx.repeat(mx.arange(len(indices)), indices.shape[1]), len(indices)
        else:
            count = len(offsets) - self.include_last_offset
            bags = (mx.arange(len(indices))[:, None] >= offsets[:count]).sum(1) - 1
        flat = indices.reshape(-1)
        rows = embed(flat, self.weight, self.padding_idx)
        if self.max_norm is not None:
            rows = limit_norms(rows, self.max_norm, self.norm_type)
        if per_sample_weights is not None:
            rows = rows * per_sample_weights.reshape(-1, 1)
        used = mx.ones(len(flat), mx.bool_) if self.padding_idx is None else flat != self.padding_idx
        counts = mx.zeros((count, 1), rows.dtype).at[bags].add(used[:, None].astype(rows.dtype))
        if self.mode == "max":
            lowest = mx.full((count, rows.shape[1]), -mx.inf, rows.dtype)
            return mx.where(counts > 0, lowest.at[bags].maximum(mx.where(used[:, None], rows, -mx.inf)), 0)
        total = mx.zeros((count, rows.shape[1]), rows.dtype).at[bags].add(mx.where(used[:, None], rows, 0))
        return total / mx.maximum(counts, 1) if self.mode == "mean" else total
