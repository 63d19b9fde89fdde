"""Linear layers."""

from __future__ import annotations

from collections.abc import Callable

from .array_words import (
    Array,
    Bool,
    DType,
    Module,
    Param,
    Rngs,
    initializers,
    ops,
    uniform_between,
    xp,
)

# Linear: each framework's own.


def linear(x: Array, weight: Array, bias: Array | None = None) -> Array:
    """x: [..., I], weight: [O, I] -> [..., O]."""
    y = x @ weight.T
    return y if bias is None else y + bias


class Bilinear(Module):
    """A product of two inputs and a weight: a: [..., I], b: [..., J] -> [..., out_features]."""

    def __init__(
        self,
        in1_features: int,
        in2_features: int,
        out_features: int,
        bias: bool = True,
        dtype: DType = xp.float32,
        *,
        rngs: Rngs,
    ) -> None:
        bound = in1_features**-0.5
        init = uniform_between(-bound, bound)
        self.weight = Param(init(rngs.params(), (out_features, in1_features, in2_features), dtype))
        self.bias = Param(init(rngs.params(), (out_features,), dtype)) if bias else None

    def __call__(self, a: Array, b: Array) -> Array:
        return bilinear(a, b, self.weight[...], None if self.bias is None else self.bias[...])


def bilinear(a: Array, b: Array, weight: Array, bias: Array | None = None) -> Array:
    """a: [..., I], b: [..., J], weight: [O, I, J] -> [..., O]."""
    y = xp.einsum("...i,oij,...j->...o", a, weight, b)
    return y if bias is None else y + bias


# Embedding: each framework's own.


class PaddedEmbedding(Module):
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
        dtype: DType = xp.float32,
        weight_init: Callable[..., Array] | None = None,
        *,
        rngs: Rngs,
    ) -> None:
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        init = weight_init or initializers.normal(1.0)
        weight = init(rngs.params(), (num_embeddings, embedding_dim), dtype)
        self.weight = Param(weight if padding_idx is None else weight.at[padding_idx].set(0))

    def __call__(self, indices: Array) -> Array:
        rows = embed(indices, self.weight[...], self.padding_idx)
        return rows if self.max_norm is None else limit_norms(rows, self.max_norm, self.norm_type)


def embed(indices: Array, weight: Array, padding_idx: int | None = None) -> Array:
    """The rows of a table. The row `padding_idx` gets no gradient.

    indices: [...], weight: [N, D] -> [..., D].
    """
    if padding_idx is not None:
        weight = weight.at[padding_idx].set(xp.stop_gradient(weight[padding_idx]))
    return weight[indices]


def limit_norms(rows: Array, max_norm: float, norm_type: float) -> Array:
    """Scales down rows whose norm is larger than `max_norm`."""
    norms = xp.linalg.vector_norm(rows, ord=norm_type, axis=-1, keepdims=True)
    limited = xp.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    return rows + xp.stop_gradient(limited - rows)


class EmbeddingBag(Module):
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
        dtype: DType = xp.float32,
        *,
        rngs: Rngs,
    ) -> None:
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.mode, self.include_last_offset = mode, include_last_offset
        weight = initializers.normal(1.0)(rngs.params(), (num_embeddings, embedding_dim), dtype)
        self.weight = Param(weight if padding_idx is None else weight.at[padding_idx].set(0))

    def __call__(
        self,
        indices: Array,
        offsets: Array | None = None,
        per_sample_weights: Array | None = None,
    ) -> Array:
        if offsets is None:
            bags, count = xp.repeat(xp.arange(indices.shape[0]), indices.shape[1]), indices.shape[0]
        else:
            count = offsets.shape[0] - self.include_last_offset
            bags = xp.searchsorted(offsets[:count], xp.arange(indices.shape[0]), side="right") - 1
        flat = indices.reshape(-1)
        rows = embed(flat, self.weight[...], self.padding_idx)
        if self.max_norm is not None:
            rows = limit_norms(rows, self.max_norm, self.norm_type)
        if per_sample_weights is not None:
            rows = rows * per_sample_weights.reshape(-1, 1)
        used = xp.ones(flat.shape, Bool) if self.padding_idx is None else flat != self.padding_idx % self.weight.shape[0]
        wide = rows.astype(xp.promote_types(rows.dtype, xp.float32))  # in 16 bits, large sums and counts stop growing
        counts = ops.segment_sum(used.astype(wide.dtype), bags, count)[:, None]
        if self.mode == "max":
            best = ops.segment_max(xp.where(used[:, None], rows, -xp.inf), bags, count)
            return xp.where(counts > 0, best, 0)
        total = ops.segment_sum(xp.where(used[:, None], wide, 0), bags, count)
        return (total / xp.maximum(counts, 1) if self.mode == "mean" else total).astype(rows.dtype)
