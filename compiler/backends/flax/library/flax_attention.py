"""Attention, recurrent cells and rotary positions: definitions for the files of Flax."""

from __future__ import annotations

from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from .flax_linear import Linear
from .flax_variables import uniform_between


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
    scores = q @ k.swapaxes(-1, -2) * (q.shape[-1] ** -0.5 if scale is None else scale)
    scores = scores.astype(jnp.promote_types(scores.dtype, jnp.float32))
    if is_causal:
        mask = jnp.tril(jnp.ones(scores.shape[-2:], bool))
    if mask is None:
        weights = jax.nn.softmax(scores)
    elif mask.dtype == bool:
        seen = jnp.where(mask, scores, -jnp.inf)
        weights = jnp.where(mask, jax.nn.softmax(jnp.where(mask.any(-1, keepdims=True), seen, scores)), 0)
    else:
        weights = jax.nn.softmax(scores + mask)
    weights = weights.astype(q.dtype)
    return (weights if dropout is None else dropout(weights)) @ v


class MultiheadAttention(nnx.Module):
    """Multi-head attention with the projections of the checkpoint. Returns the results and, if asked, the weights.

    query: [N, L, E], key: [N, S, kdim], value: [N, S, vdim] -> [N, L, E], [N, L, S].
    """

    def __init__(
        self,
        embed_dim: int,
        num_heads: int,
        dropout: float = 0.0,
        bias: bool = True,
        add_bias_kv: bool = False,
        add_zero_attn: bool = False,
        kdim: int | None = None,
        vdim: int | None = None,
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.num_heads, self.add_zero_attn = num_heads, add_zero_attn
        xavier = nnx.initializers.xavier_uniform(in_axis=1, out_axis=0)
        if kdim is None and vdim is None:
            self.in_proj_weight = nnx.Param(xavier(rngs.params(), (3 * embed_dim, embed_dim), dtype))
        else:
            self.q_proj_weight = nnx.Param(xavier(rngs.params(), (embed_dim, embed_dim), dtype))
            self.k_proj_weight = nnx.Param(xavier(rngs.params(), (embed_dim, kdim or embed_dim), dtype))
            self.v_proj_weight = nnx.Param(xavier(rngs.params(), (embed_dim, vdim or embed_dim), dtype))
        self.is_joint = kdim is None and vdim is None
        self.in_proj_bias = nnx.Param(jnp.zeros(3 * embed_dim, dtype)) if bias else None
        normal = nnx.initializers.normal(embed_dim**-0.5)
        self.bias_k = nnx.Param(normal(rngs.params(), (1, 1, embed_dim), dtype)) if add_bias_kv else None
        self.bias_v = nnx.Param(normal(rngs.params(), (1, 1, embed_dim), dtype)) if add_bias_kv else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype, bias_init=nnx.initializers.zeros, rngs=rngs)
        self.dropout = nnx.Dropout(dropout, rngs=rngs) if dropout else None

    def __call__(
        self,
        query: jax.Array,
        key: jax.Array,
        value: jax.Array,
        key_padding_mask: jax.Array | None = None,
        attn_mask: jax.Array | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = True,
    ) -> jax.Array | tuple[jax.Array, jax.Array]:
        if query.ndim == 2:
            padding = None if key_padding_mask is None else key_padding_mask[None]
            options = (padding, attn_mask, need_weights, average_attn_weights)
            results = self(query[None], key[None], value[None], *options)
            return (results[0][0], results[1][0]) if need_weights else results[0]
        if self.is_joint:
            weights = jnp.split(self.in_proj_weight[...], 3)
        else:
            weights = [self.q_proj_weight[...], self.k_proj_weight[...], self.v_proj_weight[...]]
        biases = [0, 0, 0] if self.in_proj_bias is None else jnp.split(self.in_proj_bias[...], 3)
        q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), weights, biases, strict=True))
        n, length, features = q.shape
        count = k.shape[1]
        if self.bias_k is not None:
            k, v = (
                jnp.concatenate((x, jnp.broadcast_to(b[...], (n, 1, features))), axis=1) for x, b in ((k, self.bias_k), (v, self.bias_v))
            )
        if self.add_zero_attn:
            k, v = (jnp.pad(x, ((0, 0), (0, 1), (0, 0))) for x in (k, v))
        q, k, v = (x.reshape(n, x.shape[1], self.num_heads, -1).swapaxes(1, 2) for x in (q, k, v))
        scores = q @ k.swapaxes(-1, -2) * (features // self.num_heads) ** -0.5
        masks = []
        if attn_mask is not None:
            masks.append(attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(n, -1, length, count))
        if key_padding_mask is not None:
            masks.append(key_padding_mask[:, None, None, :])
        for mask in masks:
            mask = jnp.where(mask, -jnp.inf, 0.0).astype(scores.dtype) if mask.dtype == bool else mask
            scores = scores + jnp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, k.shape[2] - count)])
        shares = jax.nn.softmax(scores)
        shares = shares if self.dropout is None else self.dropout(shares)
        shares = shares.astype(v.dtype)
        y = self.out_proj((shares @ v).swapaxes(1, 2).reshape(n, length, features))
        if need_weights:
            return y, shares.mean(1) if average_attn_weights else shares
        return y


class RecurrentCell(nnx.Module):
    """The parameters of one step of a recurrent layer, with `gates` rows for each number of the state."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: jax.typing.DTypeLike = jnp.float32,
        *,
        rngs: nnx.Rngs,
    ) -> None:
        self.hidden_size, self.nonlinearity = hidden_size, nonlinearity
        bound, rows = hidden_size**-0.5, self.gates * hidden_size
        init = uniform_between(-bound, bound)
        self.weight_ih = nnx.Param(init(rngs.params(), (rows, input_size), dtype))
        self.weight_hh = nnx.Param(init(rngs.params(), (rows, hidden_size), dtype))
        self.bias_ih = nnx.Param(init(rngs.params(), (rows,), dtype)) if bias else None
        self.bias_hh = nnx.Param(init(rngs.params(), (rows,), dtype)) if bias else None

    def first(self, x: jax.Array, h: jax.Array | None) -> jax.Array:
        return jnp.zeros((*x.shape[:-1], self.hidden_size), x.dtype) if h is None else h

    def sums(self, x: jax.Array, h: jax.Array) -> tuple[jax.Array, jax.Array]:
        a, b = x @ self.weight_ih[...].T, h @ self.weight_hh[...].T
        return (a, b) if self.bias_ih is None else (a + self.bias_ih[...], b + self.bias_hh[...])


class RNNCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    def __call__(self, x: jax.Array, h: jax.Array | None = None) -> jax.Array:
        a, b = self.sums(x, self.first(x, h))
        return jnp.tanh(a + b) if self.nonlinearity == "tanh" else jax.nn.relu(a + b)


class GRUCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    gates = 3

    def __call__(self, x: jax.Array, h: jax.Array | None = None) -> jax.Array:
        h = self.first(x, h)
        a, b = self.sums(x, h)
        (ar, az, an), (br, bz, bn) = jnp.split(a, 3, axis=-1), jnp.split(b, 3, axis=-1)
        r, z = jax.nn.sigmoid(ar + br), jax.nn.sigmoid(az + bz)
        n = jnp.tanh(an + r * bn)
        return n + z * (h - n)


class LSTMCell(RecurrentCell):
    """x: [N, input_size], h and c: [N, hidden_size] -> two tensors [N, hidden_size]."""

    gates = 4

    def __call__(self, x: jax.Array, h: jax.Array | None = None, c: jax.Array | None = None) -> tuple[jax.Array, jax.Array]:
        h, c = self.first(x, h), self.first(x, c)
        a, b = self.sums(x, h)
        i, f, g, o = jnp.split(a + b, 4, axis=-1)
        c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(c), c


def rotary_angles(positions: jax.Array, dims: int, base: float, dtype: jax.typing.DTypeLike) -> tuple[jax.Array, jax.Array]:
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """
    # By NumPy in float64: the last bit of a power in float32 depends on the processor, and at large positions it shows.
    frequencies = 1 / base ** (np.arange(0, dims, 2) / dims)
    angles = positions[..., None] * frequencies.astype(np.promote_types(dtype, np.float32))
    return jnp.cos(angles).astype(dtype), jnp.sin(angles).astype(dtype)
