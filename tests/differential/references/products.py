"""Products of matrices, attention, rotary embedding.

In: the arguments and the tensors. Out: PyTorch's tensors. Always: what PyTorch has no function for is a short formula here, written in
another way than netc writes it.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.differential.references.call import Call

HALVES = (torch.float16, torch.bfloat16)


def attention(a: Call, q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
    """PyTorch groups heads where it is asked to, netc where it can; else they broadcast. A window is a mask: keys `i - window < j <= i`.
    So is what queries and keys that end together may see: PyTorch calls it `causal_lower_right`."""
    causal = a.causal
    ends = a.align == "end" and q.shape[-2] != k.shape[-2]
    if causal and mask is None and (a.window is not None or ends):
        ahead = k.shape[-2] - q.shape[-2] if a.align == "end" else 0
        mask, causal = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).tril(ahead), False
        mask = mask if a.window is None else mask.triu(1 - a.window + ahead)
    options = {"attn_mask": mask, "dropout_p": a.dropout if a.training else 0.0, "is_causal": causal, "scale": a.scale}
    if len({t.shape[-3:-2] for t in (q, k, v)}) > 1:
        with suppress(IndexError, RuntimeError):  # fewer than three axes have no heads to group
            return F.scaled_dot_product_attention(q, k, v, **options, enable_gqa=True)
    return F.scaled_dot_product_attention(q, k, v, **options)


def multihead_attention(a: Call, *tensors: torch.Tensor) -> Any:
    """Of what comes in, the last is the mask of keys if there are five or it is asked for; then a fourth, or a bool one, the mask of
    queries and keys; the rest are queries, keys and values, of which the last is used for those that are missing. Those given by name come
    after these.

    A causal mask is given as a mask, without the hint `is_causal`.
    """
    names = a.arguments.get("named", ())
    split = len(tensors) - len(names)
    tensors, named = tensors[:split], dict(zip(names, tensors[split:], strict=True))
    *rest, padding = tensors if a.key_padding_mask or len(tensors) == 5 else (*tensors, named.get("padding"))
    if "attn_mask" in named:
        mask = named["attn_mask"]
    elif len(rest) == 4 or (len(rest) > 1 and rest[-1].dtype == torch.bool):
        *rest, mask = rest
    else:
        mask = None
    if len(rest) > 3:
        raise TypeError("it takes queries, keys, values and two masks")
    k = named.get("key", rest[min(1, len(rest) - 1)])
    q, v = rest[0], named.get("value", k if "key" in named else rest[-1])
    if a.causal and mask is None:
        ahead = k.shape[-2] - q.shape[-2] if a.align == "end" else 0
        mask = torch.ones(q.shape[-2], k.shape[-2], dtype=torch.bool).triu(1 + ahead)
    weights = a.results > 1
    if weights:  # PyTorch adds the masks to the scores then, in their element type
        padding, mask = (m.to(q.dtype) if m is not None and m.is_floating_point() else m for m in (padding, mask))
    module = nn.MultiheadAttention(
        q.shape[-1],
        a.heads,
        dropout=a.dropout,
        bias=a.bias,
        add_bias_kv=a.add_bias_kv,
        add_zero_attn=a.add_zero_attn,
        kdim=k.shape[-1],
        vdim=v.shape[-1],
        batch_first=True,
        dtype=q.dtype,
    )
    found = a.layer(module)(q, k, v, padding, weights, mask, average_attn_weights=a.average_attn_weights)
    return found if weights else found[0]


def rotary(a: Call, x: torch.Tensor, positions: torch.Tensor | None = None) -> torch.Tensor:
    """Pairs of features as complex numbers, which are turned by multiplying them. Angles are products in float32, or in float64."""
    dims = x.shape[-1] if a.dims is None else a.dims
    turned = x.narrow(-1, 0, dims)
    turned = turned.float() if x.dtype in HALVES else turned
    pairs = turned.unflatten(-1, (-1, 2)) if a.interleaved else turned.unflatten(-1, (2, -1)).transpose(-1, -2)
    if positions is None:
        positions = torch.arange(x.shape[-2])
    torch.iinfo(positions.dtype)  # of integers only
    each = (x.shape[-2],) if positions.ndim == 1 else (x.shape[0], x.shape[-2])
    places = torch.stack((positions, positions.new_zeros(each)))[0]  # of this very shape
    places = places.view(*places.shape[:-1], *(1,) * (x.ndim - 3 if places.ndim == 2 else 0), places.shape[-1])
    frequencies = torch.tensor([float(a.base) ** -(i / dims) for i in range(0, dims, 2)], dtype=turned.dtype)
    angles = places[..., None] * frequencies
    found = torch.view_as_real(torch.view_as_complex(pairs.contiguous()) * torch.polar(torch.ones_like(angles), angles))
    again = found.flatten(-2) if a.interleaved else found.transpose(-1, -2).flatten(-2)
    return torch.cat((again.to(x.dtype), x[..., dims:]), -1)


FUNCTIONS = {
    "matmul": lambda a, x, y: torch.matmul(x, y),
    "outer": lambda a, x, y: torch.outer(x, y),
    "einsum": lambda a, *xs: torch.einsum(a.equation, *xs),
    "cosine_similarity": lambda a, x, y: F.cosine_similarity(x, y, a.axis, a.eps),
    "attention": attention,
    "multihead_attention": multihead_attention,
    "rotary": rotary,
}
