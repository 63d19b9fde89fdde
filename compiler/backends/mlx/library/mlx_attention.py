"""Attention, recurrent cells and rotary positions: definitions for the files of MLX."""

from __future__ import annotations

from collections.abc import Callable

import mlx.core as mx
import mlx.nn as nn

from ...python.array_library.array_attention import masked_softmax
from .mlx_normalization import Dropout, softmax


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
    # In float32: a half type may not hold the scores.
    wide = mx.result_type(q, mx.float32)
    scores = q.astype(wide) @ k.swapaxes(-1, -2).astype(wide) * scale
    if is_causal:
        mask = mx.arange(scores.shape[-2])[:, None] >= mx.arange(scores.shape[-1])
    if mask is not None:
        scores = mx.where(mask, scores, -mx.inf) if mask.dtype == mx.bool_ else scores + mask
    weights = (softmax(scores) if mask is None else masked_softmax(scores)).astype(q.dtype)
    return (weights if dropout is None else dropout(weights)) @ v
