"""Attention, recurrent cells and rotary positions: definitions for the files of Flax."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from ...python.array_library.array_attention import masked_softmax


class Attention(nnx.Module):
    """Attention whose weights are dropped in training."""

    def __init__(self, dropout: float, *, rngs: nnx.Rngs) -> None:
        self.dropout = nnx.Dropout(dropout, rngs=rngs)

    def __call__(
        self,
        q: jax.Array,
        k: jax.Array,
        v: jax.Array,
        mask: jax.Array | None = None,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> jax.Array:
        return attention(q, k, v, mask, is_causal, scale, self.dropout)


def attention(
    q: jax.Array,
    k: jax.Array,
    v: jax.Array,
    mask: jax.Array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout: Callable[[jax.Array], jax.Array] | None = None,
) -> jax.Array:
    """Scaled dot-product attention. Keys and values may have fewer heads than queries. A mask is true where a query may
    see a key, or is added to the scores. A query that sees no key gets zeros.

    q: [..., H, L, D], k: [..., h, S, D], v: [..., h, S, E] -> [..., H, L, E].
    """
    if q.ndim > 2 and k.shape[-3] < q.shape[-3]:
        k = jnp.repeat(k, q.shape[-3] // k.shape[-3], axis=-3)
    if q.ndim > 2 and v.shape[-3] < q.shape[-3]:
        v = jnp.repeat(v, q.shape[-3] // v.shape[-3], axis=-3)
    # In float32: a half type may not hold the scores.
    scores = jnp.matmul(q, k.swapaxes(-1, -2), preferred_element_type=jnp.promote_types(q.dtype, jnp.float32))
    scores = scores * (q.shape[-1] ** -0.5 if scale is None else scale)
    if is_causal:
        mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if mask is not None:
        scores = jnp.where(mask, scores, -jnp.inf) if mask.dtype == bool else scores + mask
    weights = (jax.nn.softmax(scores) if mask is None else masked_softmax(scores)).astype(q.dtype)
    return (weights if dropout is None else dropout(weights)) @ v


def rotary_angles(positions: jax.Array, dims: int, base: float, dtype: jax.typing.DTypeLike) -> tuple[jax.Array, jax.Array]:
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """
    # By NumPy in float64: the last bit of a power in float32 depends on the processor, and at large positions it shows.
    frequencies = 1 / base ** (np.arange(0, dims, 2) / dims)
    angles = positions[..., None] * frequencies.astype(np.promote_types(dtype, np.float32))
    return jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype)
