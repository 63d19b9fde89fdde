"""Linear layers and embeddings: definitions for the files of Flax."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
from flax import nnx

from .flax_variables import uniform_between


class Linear(nnx.Module):
    """A linear layer with the weight [out, in] of the checkpoint.

    x: [..., in_features] -> [..., out_features].
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        bias_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        bound = in_features**-0.5
        init = uniform_between(-bound, bound)
        self.weight = nnx.Param((weight_init or init)(rngs.params(), (out_features, in_features), dtype))
        self.bias = nnx.Param((bias_init or init)(rngs.params(), (out_features,), dtype)) if bias else None

    def __call__(self, x: jax.Array) -> jax.Array:
        y = x @ self.weight[...].T
        return y if self.bias is None else y + self.bias[...]


class Embedding(nnx.Module):
    """The rows of a table by their numbers: indices: [...] -> [..., embedding_dim]."""

    def __init__(
        self,
        num_embeddings: int,
        embedding_dim: int,
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        init = weight_init or nnx.initializers.normal(1.0)
        self.weight = nnx.Param(init(rngs.params(), (num_embeddings, embedding_dim), dtype))

    def __call__(self, indices: jax.Array) -> jax.Array:
        return self.weight[...][indices]


class PaddedEmbedding(nnx.Module):
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
        dtype: jax.typing.DTypeLike = jnp.float32,
        weight_init: Callable[..., jax.Array] | None = None,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        init = weight_init or nnx.initializers.normal(1.0)
        weight = init(rngs.params(), (num_embeddings, embedding_dim), dtype)
        self.weight = nnx.Param(weight if padding_idx is None else weight.at[padding_idx].set(0))

    def __call__(self, indices: jax.Array) -> jax.Array:
        rows = embed(indices, self.weight[...], self.padding_idx)
        return rows if self.max_norm is None else limit_norms(rows, self.max_norm, self.norm_type)


def embed(indices: jax.Array, weight: jax.Array, padding_idx: int | None = None) -> jax.Array:
    """The rows of a table. The row `padding_idx` gets no gradient.

    indices: [...], weight: [N, D] -> [..., D].
    """
    if padding_idx is not None:
        weight = weight.at[padding_idx].set(jax.lax.stop_gradient(weight[padding_idx]))
    return weight[indices]


def limit_norms(rows: jax.Array, max_norm: float, norm_type: float) -> jax.Array:
    """Scales down rows whose norm is larger than `max_norm`."""
    norms = jnp.linalg.vector_norm(rows, ord=norm_type, axis=-1, keepdims=True)
    limited = jnp.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)
    return rows + jax.lax.stop_gradient(limited - rows)


class EmbeddingBag(nnx.Module):
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
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.padding_idx, self.max_norm, self.norm_type = padding_idx, max_norm, norm_type
        self.mode, self.include_last_offset = mode, include_last_offset
        weight = nnx.initializers.normal(1.0)(rngs.params(), (num_embeddings, embedding_dim), dtype)
        self.weight = nnx.Param(weight if padding_idx is None else weight.at[padding_idx].set(0))

    def __call__(
        self,
        indices: jax.Array,
        offsets: jax.Array | None = None,
        per_sample_weights: jax.Array | None = None,
    ) -> jax.Array:
        if offsets is None:
            bags, count = jnp.repeat(jnp.arange(indices.shape[0]), indices.shape[1]), indices.shape[0]
        else:
            count = offsets.shape[0] - self.include_last_offset
            bags = jnp.searchsorted(offsets[:count], jnp.arange(indices.shape[0]), side="right") - 1
        flat = indices.reshape(-1)
        rows = embed(flat, self.weight[...], self.padding_idx)
        if self.max_norm is not None:
            rows = limit_norms(rows, self.max_norm, self.norm_type)
        if per_sample_weights is not None:
            rows = rows * per_sample_weights.reshape(-1, 1)
        used = jnp.ones(flat.shape, bool) if self.padding_idx is None else flat != self.padding_idx
        counts = jax.ops.segment_sum(used.astype(rows.dtype), bags, count)[:, None]
        if self.mode == "max":
            best = jax.ops.segment_max(jnp.where(used[:, None], rows, -jnp.inf), bags, count)
            return jnp.where(counts > 0, best, 0)
        total = jax.ops.segment_sum(jnp.where(used[:, None], rows, 0), bags, count)
        return total / jnp.maximum(counts, 1) if self.mode == "mean" else total
