"""Attention, recurrent cells and rotary positions: definitions for the files of MLX."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn

from .mlx_normalization import Dropout


class Attention(nn.Module):
    """Attention whose weights are dropped in training."""

    def __init__(self, dropout: float) -> None:
        super().__init__()
        self.dropout = Dropout(dropout)

    def __call__(
        self,
        q: mx.array,
        k: mx.array,
        v: mx.array,
        mask: mx.array | None = None,
        is_causal: bool = False,
        scale: float | None = None,
    ) -> mx.array:
        return attention(q, k, v, mask, is_causal, scale, self.dropout if self.training else None)


def attention(
    q: mx.array,
    k: mx.array,
    v: mx.array,
    mask: mx.array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
    dropout: Callable[[mx.array], mx.array] | None = None,
) -> mx.array:
    """Scaled dot-product attention. Keys and values may have fewer heads than queries. A mask is true where a query may
    see a key, or is added to the scores. A query that sees no key gets zeros.

    q: [..., H, L, D], k: [..., h, S, D], v: [..., h, S, E] -> [..., H, L, E].
    """
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    is_plain = mask is None and dropout is None and q.ndim == k.ndim == 4 and q.size and k.size
    heads = q.shape[0] == k.shape[0] and k.shape[:-1] == v.shape[:-1] and q.shape[1] % k.shape[1] == 0 if is_plain else False
    # For other sizes, MLX's causal mask ends at the last key.
    if heads and (not is_causal or q.shape[-2] == k.shape[-2]):
        return mx.fast.scaled_dot_product_attention(q, k, v, scale=scale, mask="causal" if is_causal else None)
    if q.ndim > 2 and k.shape[-3] < q.shape[-3]:
        k = mx.repeat(k, q.shape[-3] // k.shape[-3], axis=-3)
    if q.ndim > 2 and v.shape[-3] < q.shape[-3]:
        v = mx.repeat(v, q.shape[-3] // v.shape[-3], axis=-3)
    scores = q @ k.swapaxes(-1, -2) * scale
    scores = scores.astype(mx.result_type(scores, mx.float32))
    if is_causal:
        mask = mx.arange(scores.shape[-2])[:, None] >= mx.arange(scores.shape[-1])
    if mask is None:
        weights = mx.softmax(scores, axis=-1)
    elif mask.dtype == mx.bool_:
        seen = mx.where(mask, scores, -mx.inf)
        weights = mx.where(mask, mx.softmax(mx.where(mask.any(-1, keepdims=True), seen, scores), axis=-1), 0)
    else:
        weights = mx.softmax(scores + mask, axis=-1)
    weights = weights.astype(q.dtype)
    return (weights if dropout is None else dropout(weights)) @ v


class MultiheadAttention(nn.Module):
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
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.num_heads, self.add_zero_attn = num_heads, add_zero_attn

        def draw(*shape: int) -> mx.array:
            bound = (6 / sum(shape[-2:])) ** 0.5
            return mx.random.uniform(-bound, bound, shape).astype(dtype)

        self.is_joint = kdim is None and vdim is None
        if self.is_joint:
            self.in_proj_weight = draw(3 * embed_dim, embed_dim)
        else:
            self.q_proj_weight = draw(embed_dim, embed_dim)
            self.k_proj_weight = draw(embed_dim, kdim or embed_dim)
            self.v_proj_weight = draw(embed_dim, vdim or embed_dim)
        self.in_proj_bias = mx.zeros(3 * embed_dim, dtype) if bias else None
        self.bias_k = draw(1, 1, embed_dim) if add_bias_kv else None
        self.bias_v = draw(1, 1, embed_dim) if add_bias_kv else None
        self.out_proj = nn.Linear(embed_dim, embed_dim, bias)
        self.out_proj.set_dtype(dtype)
        self.dropout = Dropout(dropout)

    def __call__(
        self,
        query: mx.array,
        key: mx.array,
        value: mx.array,
        key_padding_mask: mx.array | None = None,
        attn_mask: mx.array | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = True,
    ) -> mx.array | tuple[mx.array, mx.array]:
        if query.ndim == 2:
            padding = None if key_padding_mask is None else key_padding_mask[None]
            options = (padding, attn_mask, need_weights, average_attn_weights)
            results = self(query[None], key[None], value[None], *options)
            return (results[0][0], results[1][0]) if need_weights else results[0]
        names = ("q_proj_weight", "k_proj_weight", "v_proj_weight")
        weights = mx.split(self.in_proj_weight, 3) if self.is_joint else [self[name] for name in names]
        biases = [0, 0, 0] if self.in_proj_bias is None else mx.split(self.in_proj_bias, 3)
        q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), weights, biases, strict=True))
        n, length, features = q.shape
        count = k.shape[1]
        if self.bias_k is not None:
            rows = (mx.broadcast_to(b, (n, 1, features)) for b in (self.bias_k, self.bias_v))
            k, v = (mx.concatenate((x, row), axis=1) for x, row in zip((k, v), rows, strict=True))
        if self.add_zero_attn:
            k, v = (mx.pad(x, ((0, 0), (0, 1), (0, 0))) for x in (k, v))
        q, k, v = (x.reshape(n, x.shape[1], self.num_heads, -1).swapaxes(1, 2) for x in (q, k, v))
        scores = q @ k.swapaxes(-1, -2) * (features // self.num_heads) ** -0.5
        masks = []
        if attn_mask is not None:
            masks.append(attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(n, -1, length, count))
        if key_padding_mask is not None:
            masks.append(key_padding_mask[:, None, None, :])
        for mask in masks:
            mask = mx.where(mask, -mx.inf, 0.0).astype(scores.dtype) if mask.dtype == mx.bool_ else mask
            scores = scores + mx.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, k.shape[2] - count)])
        shares = self.dropout(mx.softmax(scores, axis=-1)).astype(v.dtype)
        y = self.out_proj((shares @ v).swapaxes(1, 2).reshape(n, length, features))
        if need_weights:
            return y, shares.mean(1) if average_attn_weights else shares
        return y


class RecurrentCell(nn.Module):
    """The parameters of one step of a recurrent layer, with `gates` rows for each number of the state."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: mx.Dtype = mx.float32,
    ) -> None:
        super().__init__()
        self.hidden_size, self.nonlinearity = hidden_size, nonlinearity
        bound, rows = hidden_size**-0.5, self.gates * hidden_size

        def draw(*shape: int) -> mx.array:
            return mx.random.uniform(-bound, bound, shape).astype(dtype)

        self.weight_ih, self.weight_hh = draw(rows, input_size), draw(rows, hidden_size)
        self.bias_ih, self.bias_hh = (draw(rows), draw(rows)) if bias else (None, None)

    def first(self, x: mx.array, h: mx.array | None) -> mx.array:
        return mx.zeros((*x.shape[:-1], self.hidden_size), x.dtype) if h is None else h

    def sums(self, x: mx.array, h: mx.array) -> tuple[mx.array, mx.array]:
        a, b = x @ self.weight_ih.T, h @ self.weight_hh.T
        return (a, b) if self.bias_ih is None else (a + self.bias_ih, b + self.bias_hh)


class RNNCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    def __call__(self, x: mx.array, h: mx.array | None = None) -> mx.array:
        a, b = self.sums(x, self.first(x, h))
        return mx.tanh(a + b) if self.nonlinearity == "tanh" else nn.relu(a + b)


class GRUCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    gates = 3

    def __call__(self, x: mx.array, h: mx.array | None = None) -> mx.array:
        h = self.first(x, h)
        a, b = self.sums(x, h)
        (ar, az, an), (br, bz, bn) = mx.split(a, 3, axis=-1), mx.split(b, 3, axis=-1)
        r, z = mx.sigmoid(ar + br), mx.sigmoid(az + bz)
        n = mx.tanh(an + r * bn)
        return n + z * (h - n)


class LSTMCell(RecurrentCell):
    """x: [N, input_size], h and c: [N, hidden_size] -> two tensors [N, hidden_size]."""

    gates = 4

    def __call__(self, x: mx.array, h: mx.array | None = None, c: mx.array | None = None) -> tuple[mx.array, mx.array]:
        h, c = self.first(x, h), self.first(x, c)
        a, b = self.sums(x, h)
        i, f, g, o = mx.split(a + b, 4, axis=-1)
        c = mx.sigmoid(f) * c + mx.sigmoid(i) * mx.tanh(g)
        return mx.sigmoid(o) * mx.tanh(c), c


def rotary_angles(positions: mx.array, dims: int, base: float, dtype: mx.Dtype) -> tuple[mx.array, mx.array]:
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """
    # In Python's float64: the last bit of a power in float32 depends on the processor, and at large positions it shows.
    frequencies = [1 / base ** (i / dims) for i in range(0, dims, 2)]
    angles = positions[..., None] * mx.array(frequencies, mx.float64 if dtype == mx.float64 else mx.float32)
    return mx.cos(angles).astype(dtype), mx.sin(angles).astype(dtype)
