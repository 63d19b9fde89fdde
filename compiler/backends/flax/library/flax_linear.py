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
