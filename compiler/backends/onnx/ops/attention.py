"""Emit attention as ONNX's Attention operator.

It takes `[batch, heads, length, features]` or, with the number of heads as an attribute, `[batch, length, heads * features]`. The emitter
writes the first form; `optimize/fuse_attention.py` turns it into the second where heads are split just before.

    >>> import netc
    >>> [node.op_type for node in netc.compile("x = input [2, 4, 8]; (x, x, x) -> attention causal=true").onnx().graph.node]
    ['Attention']
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ....dims import Dim
from ....ops.attention import Attention
from ....ops.operator import numel
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, INT64, DType, Shape
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr


@emits(Attention, onnx="Attention")
def emit_attention(op: Attention, site: Site) -> str | None:
    scores = op.score_shape(site.given)
    # `is_causal` aligns the starts of queries and keys: a window, or queries at the end of the keys, needs a mask.
    needs_mask = op.window is not None or op.ends_together(site.given, "q", "k")
    masked = "mask" in site.given
    # ONNX Runtime has no kernel for a mask in float64.
    if (masked and site.given.q.dtype == FLOAT64) or not site.has("Attention"):
        return None
    q, k, v = (_to_four_axes(op, site, name, scores) for name in ("q", "k", "v"))
    q, scale = scale_queries(q, op.scale, site.given.q.shape[-1])
    names = [q.name, k.name, v.name]
    if needs_mask:
        names.append(make_causal_mask(site, scores[-2], scores[-1], scores[-1] - scores[-2], op.window))
    elif masked:
        names.append(_prepare_mask(site, scores, q))
    causal = op.causal and not needs_mask
    result = site.add("Attention", names, is_causal=int(causal) or None, scale=scale)
    rank = site.results[0].rank
    if rank == 4:
        return result
    if rank > 4:
        return site.add("Reshape", [result, site.shape(site.results[0].shape)])
    return site.add("Squeeze", [result, site.ints([1] if rank == 3 else [0, 1])])


def make_causal_mask(site: Site, length: Dim, span: Dim, offset: Dim, window: int | None = None) -> str:
    """Make the mask [length, span] that is true where a query may see a key.

    Query i sees key `i + offset` and the keys before it; with `window`, only the last `window` of them.
    """
    if isinstance(length, int) and isinstance(span, int) and isinstance(offset, int):
        known = np.tri(length, span, offset, dtype=bool)
        return site.constant(known if window is None else np.triu(known, offset + 1 - window))
    ones = site.add("Expand", [site.scalar(True, BOOL), site.ints([length, span])])
    mask = site.add("Trilu", [ones, *([] if offset == 0 else [site.scalar(offset, INT64)])], upper=0)
    return mask if window is None else site.add("Trilu", [mask, site.scalar(offset + 1 - window, INT64)], upper=1)


def scale_queries(q: TensorExpr, scale: float | None, features: Dim) -> tuple[TensorExpr, float | None]:
    """Return the queries, scaled if Attention cannot do it, and the `scale` attribute for Attention.

    `features` is the number of features for each head.
    """
    # The attribute is a float32, which is not exact enough here.
    if q.dtype == FLOAT64:
        exact = q / q.like(features).op("Sqrt") if scale is None else q * float(scale)
        return exact, 1.0
    if scale is None:
        return q, None
    # ONNX Runtime's Attention takes positive scales only.
    return (q, float(scale)) if scale > 0 else (q * float(scale), 1.0)


def compose_attention(
    q: TensorExpr, k: TensorExpr, v: TensorExpr, mask: TensorExpr | None, *, blind: bool
) -> tuple[TensorExpr, TensorExpr]:
    """Emit the steps of Attention for scaled queries, and return the result and the weights.

    With `blind`, a query that sees no key gets 0 and not NaN, as in torch.nn.functional.scaled_dot_product_attention. ONNX Runtime's
    Attention does so too, but not in float64.
    """
    scores = q.op("MatMul", k.op("Transpose", perm=[0, 1, 3, 2]))
    if mask is not None:
        scores = scores + to_additive_mask(mask, scores.dtype)
    weights = scores.op("Softmax", axis=-1)
    if blind and mask is not None:
        greatest = scores.op("ReduceMax", TensorExpr(q.site, q.site.ints([-1]), INT64), keepdims=1)
        zero = TensorExpr(q.site, q.site.scalar(0.0, q.dtype), q.dtype)
        weights = greatest.equal(float("-inf")).choose(zero, weights)
    return weights.op("MatMul", v), weights


def to_additive_mask(mask: TensorExpr, dtype: DType) -> TensorExpr:
    """Convert a mask into numbers that are added to scores of type `dtype`. A bool mask is true where a query may see a key."""
    if mask.dtype != BOOL:
        return mask
    zero = TensorExpr(mask.site, mask.site.scalar(0.0, dtype), dtype)
    return mask.choose(zero, float("-inf"))


def raise_lowest(mask: TensorExpr) -> TensorExpr:
    """Raise the lowest finite number of an additive mask to the next one.

    ONNX Runtime's Attention takes the lowest number for a key that is not seen, as infinity is. A query whose mask has only lowest numbers
    would get 0, and the softmax of equal scores is a mean. Models of transformers make such masks.
    """
    import ml_dtypes  # NumPy's own `finfo` does not know bfloat16

    limits: Any = ml_dtypes.finfo(numpy_dtype(mask.dtype))  # type: ignore[no-untyped-call]
    next_one = float(np.nextafter(limits.min, limits.max))
    return mask.equal(float(limits.min)).choose(mask.like(next_one), mask)


def _to_four_axes(op: Attention, site: Site, name: str, scores: Shape) -> TensorExpr:
    """Return queries, keys or values as `[batch, heads, length, features]`, broadcast to one batch."""
    x, shape = site[name], site.given[name].shape
    ahead = scores[:-2]
    if name != "q" and op.is_grouped(site.given):
        # ONNX groups heads of keys and values itself; otherwise they are repeated, as PyTorch does.
        if _can_group_heads(op, site):
            ahead = (*ahead[:-1], shape[-3])
        else:
            x, shape = _repeat_heads(x, shape, scores[-3])
    return _reshape_to_four_axes(_expand_to(x, shape, (*ahead, *shape[-2:])), (*ahead, *shape[-2:]))


def _can_group_heads(op: Attention, site: Site) -> bool:
    """Whether ONNX can group the heads: it needs four axes, and one number of heads for keys and values."""
    q, k, v = (site.given.q, site.given.k, site.given.v)
    return max(t.rank for t in (q, k, v)) > 3 and bool(site.given.facts.are_equal(k.shape[-3], v.shape[-3]))


def _repeat_heads(x: TensorExpr, shape: Shape, heads: Dim) -> tuple[TensorExpr, Shape]:
    """Repeat each head of keys or values for every head of queries that shares it."""
    *before, fewer, length, width = shape
    site = x.site
    apart = site.add("Unsqueeze", [x.name, site.ints([len(before) + 1])])
    many = site.add("Expand", [apart, site.ints((*before, fewer, heads // fewer, length, width))])
    repeated_shape = (*before, heads, length, width)
    return TensorExpr(site, site.add("Reshape", [many, site.shape(repeated_shape)]), x.dtype), repeated_shape


def _expand_to(x: TensorExpr, shape: Shape, wanted: Shape) -> TensorExpr:
    return x if shape == wanted else TensorExpr(x.site, x.site.add("Expand", [x.name, x.site.ints(wanted)]), x.dtype)


def _reshape_to_four_axes(x: TensorExpr, shape: Shape) -> TensorExpr:
    """Reshape a tensor to four axes. A single axis before the matrices is the batch; there is one head then."""
    site = x.site
    if len(shape) == 4:
        return x
    if len(shape) > 4:
        return TensorExpr(site, site.add("Reshape", [x.name, site.shape((numel(shape[:-3]), *shape[-3:]))]), x.dtype)
    return TensorExpr(site, site.add("Unsqueeze", [x.name, site.ints([1] if len(shape) == 3 else [0, 1])]), x.dtype)


def _prepare_mask(site: Site, scores: Shape, q: TensorExpr) -> str:
    """Return the name of the mask in a shape that Attention takes. Axes before the heads are the batch."""
    mask, shape = site.mask, site.given.mask.shape
    # ONNX Runtime broadcasts a mask along the batch and the heads only, so other axes are expanded here.
    mask = mask if mask.dtype == BOOL else raise_lowest(mask.cast(q.dtype))
    stretched = len(scores) <= 4 or all(size == 1 for size in shape[:-3])
    wanted = (*(shape[:-2] if stretched else scores[:-2]), *scores[-2:])
    mask = _expand_to(mask, shape, wanted)
    if len(wanted) == 2 or len(scores) == 4:
        return mask.name
    if len(scores) > 4 and len(wanted) == 3:
        return site.add("Unsqueeze", [mask.name, site.ints([0])])
    return _reshape_to_four_axes(mask, wanted).name
