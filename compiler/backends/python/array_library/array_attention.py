"""Attention and recurrent cells."""

from __future__ import annotations

from .array_words import (
    Array,
    Bool,
    Dropout,
    DType,
    Linear,
    Module,
    Param,
    Rngs,
    fn,
    initializers,
    uniform_between,
    xp,
)

# Attention, attention: each framework's own.


def masked_softmax(scores: Array) -> Array:
    """The softmax along the last axis. A row of negative infinities gives zeros, and zeros as gradients."""
    hidden = (scores == -xp.inf).all(-1, keepdims=True)
    return xp.where(hidden, 0, fn.softmax(xp.where(hidden, 0, scores)))


# fmt: off


class MultiheadAttention(Module):
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
        dtype: DType = xp.float32,
        *,
        rngs: Rngs,
    ) -> None:
        self.num_heads, self.add_zero_attn = num_heads, add_zero_attn
        xavier = initializers.xavier_uniform(in_axis=1, out_axis=0)
        if kdim is None and vdim is None:
            self.in_proj_weight = Param(xavier(rngs.params(), (3 * embed_dim, embed_dim), dtype))
        else:
            self.q_proj_weight = Param(xavier(rngs.params(), (embed_dim, embed_dim), dtype))
            self.k_proj_weight = Param(xavier(rngs.params(), (embed_dim, kdim or embed_dim), dtype))
            self.v_proj_weight = Param(xavier(rngs.params(), (embed_dim, vdim or embed_dim), dtype))
        self.is_joint = kdim is None and vdim is None
        self.in_proj_bias = Param(xp.zeros(3 * embed_dim, dtype)) if bias else None
        normal = initializers.normal(embed_dim**-0.5)
        self.bias_k = Param(normal(rngs.params(), (1, 1, embed_dim), dtype)) if add_bias_kv else None
        self.bias_v = Param(normal(rngs.params(), (1, 1, embed_dim), dtype)) if add_bias_kv else None
        self.out_proj = Linear(embed_dim, embed_dim, bias, dtype, bias_init=initializers.zeros, rngs=rngs)
        self.dropout = Dropout(dropout, rngs=rngs) if dropout else None

    def __call__(
        self,
        query: Array,
        key: Array,
        value: Array,
        key_padding_mask: Array | None = None,
        attn_mask: Array | None = None,
        need_weights: bool = False,
        average_attn_weights: bool = True,
    ) -> Array | tuple[Array, Array]:
        if query.ndim == 2:
            padding = None if key_padding_mask is None else key_padding_mask[None]
            options = (padding, attn_mask, need_weights, average_attn_weights)
            results = self(query[None], key[None], value[None], *options)
            return (results[0][0], results[1][0]) if need_weights else results[0]
        if self.is_joint:
            weights = xp.split(self.in_proj_weight[...], 3)
        else:
            weights = [self.q_proj_weight[...], self.k_proj_weight[...], self.v_proj_weight[...]]
        biases = [0, 0, 0] if self.in_proj_bias is None else xp.split(self.in_proj_bias[...], 3)
        q, k, v = (x @ w.T + b for x, w, b in zip((query, key, value), weights, biases, strict=True))
        n, length, features = q.shape
        count = k.shape[1]
        if self.bias_k is not None:
            k, v = (
                xp.concatenate((x, xp.broadcast_to(b[...], (n, 1, features))), axis=1) for x, b in ((k, self.bias_k), (v, self.bias_v))
            )
        if self.add_zero_attn:
            k, v = (xp.pad(x, ((0, 0), (0, 1), (0, 0))) for x in (k, v))
        q, k, v = (x.reshape(n, x.shape[1], self.num_heads, -1).swapaxes(1, 2) for x in (q, k, v))
        scores = q @ k.swapaxes(-1, -2) * (features // self.num_heads) ** -0.5
        masks = []
        if attn_mask is not None:
            masks.append(attn_mask if attn_mask.ndim == 2 else attn_mask.reshape(n, -1, length, count))
        if key_padding_mask is not None:
            masks.append(key_padding_mask[:, None, None, :])
        for mask in masks:
            mask = xp.where(mask, -xp.inf, 0.0).astype(scores.dtype) if mask.dtype == Bool else mask
            scores = scores + xp.pad(mask, [(0, 0)] * (mask.ndim - 1) + [(0, k.shape[2] - count)])
        # A query that sees no key has the weights NaN only where they are results.
        shares = fn.softmax(scores) if need_weights or not masks else masked_softmax(scores)
        shares = shares if self.dropout is None else self.dropout(shares)
        shares = shares.astype(v.dtype)
        y = self.out_proj((shares @ v).swapaxes(1, 2).reshape(n, length, features))
        if need_weights:
            return y, shares.mean(1) if average_attn_weights else shares
        return y


# fmt: on


class RecurrentCell(Module):
    """The parameters of one step of a recurrent layer, with `gates` rows for each number of the state."""

    gates = 1

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        nonlinearity: str = "tanh",
        dtype: DType = xp.float32,
        *,
        rngs: Rngs,
    ) -> None:
        self.hidden_size, self.nonlinearity = hidden_size, nonlinearity
        bound, rows = hidden_size**-0.5, self.gates * hidden_size
        init = uniform_between(-bound, bound)
        self.weight_ih = Param(init(rngs.params(), (rows, input_size), dtype))
        self.weight_hh = Param(init(rngs.params(), (rows, hidden_size), dtype))
        self.bias_ih = Param(init(rngs.params(), (rows,), dtype)) if bias else None
        self.bias_hh = Param(init(rngs.params(), (rows,), dtype)) if bias else None

    def first(self, x: Array, h: Array | None) -> Array:
        return xp.zeros((*x.shape[:-1], self.hidden_size), x.dtype) if h is None else h

    def sums(self, x: Array, h: Array) -> tuple[Array, Array]:
        a, b = x @ self.weight_ih[...].T, h @ self.weight_hh[...].T
        return (a, b) if self.bias_ih is None else (a + self.bias_ih[...], b + self.bias_hh[...])


class RNNCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    def __call__(self, x: Array, h: Array | None = None) -> Array:
        a, b = self.sums(x, self.first(x, h))
        return xp.tanh(a + b) if self.nonlinearity == "tanh" else fn.relu(a + b)


class GRUCell(RecurrentCell):
    """x: [N, input_size], h: [N, hidden_size] -> [N, hidden_size]."""

    gates = 3

    def __call__(self, x: Array, h: Array | None = None) -> Array:
        h = self.first(x, h)
        a, b = self.sums(x, h)
        (ar, az, an), (br, bz, bn) = xp.split(a, 3, axis=-1), xp.split(b, 3, axis=-1)
        r, z = fn.sigmoid(ar + br), fn.sigmoid(az + bz)
        n = xp.tanh(an + r * bn)
        return n + z * (h - n)


class LSTMCell(RecurrentCell):
    """x: [N, input_size], h and c: [N, hidden_size] -> two tensors [N, hidden_size]."""

    gates = 4

    def __call__(self, x: Array, h: Array | None = None, c: Array | None = None) -> tuple[Array, Array]:
        h, c = self.first(x, h), self.first(x, c)
        a, b = self.sums(x, h)
        i, f, g, o = xp.split(a + b, 4, axis=-1)
        c = fn.sigmoid(f) * c + fn.sigmoid(i) * xp.tanh(g)
        return fn.sigmoid(o) * xp.tanh(c), c


def rotary_angles(positions: Array, dims: int, base: float, dtype: DType) -> tuple[Array, Array]:
    """The cosines and sines of rotary position embedding: the angle of the i-th pair of features grows by
    `base ** (-2 i / dims)` from one position to the next. They are computed in float32 and given as `dtype`.

    positions: [..., T] -> two tensors [..., T, dims/2].
    """
    # In Python's float64: the last bit of a power in float32 depends on the processor, and at large positions it shows.
    frequencies = [1 / base ** (i / dims) for i in range(0, dims, 2)]
    angles = positions[..., None] * xp.array(frequencies, xp.float64 if dtype == xp.float64 else xp.float32)
    return xp.cos(angles).astype(dtype), xp.sin(angles).astype(dtype)
