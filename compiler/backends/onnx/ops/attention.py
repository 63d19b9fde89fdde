"""Attention in ONNX: the operator of that name, which takes `[batch, heads, length, features]` or, with the heads told apart by
attributes, `[batch, length, heads * features]`."""

from __future__ import annotations

import numpy as np

from ....dims import Dim
from ....ops.attention import MASK, Attention, K, Q, V
from ....ops.base import numel
from ....types import BOOL, INT64, Shape
from ..table import Site, emits
from ..terms import FLOAT64, Term, term


@emits(Attention)
def attention(op: Attention, site: Site) -> str:
    scores = op.scores(site.given)
    q, k, v = (_four_axes(op, site, index, scores) for index in (Q, K, V))
    q, scale = scaled(q, op.scale, site.given[Q].shape[-1])
    names = [q.name, k.name, v.name]
    if op.window is not None:
        names.append(_window(site, op.window, scores[-1]))
    elif len(site.inputs) > MASK:
        names.append(_mask(site, scores, q))
    causal = op.causal and op.window is None
    result = site.add("Attention", names, is_causal=int(causal) or None, scale=scale)
    rank = site.results[0].rank
    if rank == 4:
        return result
    if rank > 4:
        return site.add("Reshape", [result, site.shape(site.results[0].shape)])
    return site.add("Squeeze", [result, site.ints([1] if rank == 3 else [0, 1])])


def _window(site: Site, window: int, length: Dim) -> str:
    """The mask that is true at the places `i - window < j <= i`."""
    if isinstance(length, int):
        return site.constant(np.triu(np.tril(np.ones((length, length), dtype=bool)), 1 - window))
    ones = site.add("Expand", [site.scalar(True, BOOL), site.ints([length, length])])
    return site.add("Trilu", [site.add("Trilu", [ones], upper=0), site.scalar(1 - window, INT64)], upper=1)


def scaled(q: Term, scale: float | None, features: Dim) -> tuple[Term, float | None]:
    """The queries, and the scale that is left to do. ONNX Runtime takes only positive scales, and those of ONNX are float32."""
    if q.dtype == FLOAT64 and scale is None:
        return q / q.like(features).op("Sqrt"), 1.0
    if scale is None:
        return q, None
    return (q, float(scale)) if scale > 0 and q.dtype != FLOAT64 else (q * float(scale), 1.0)


def _four_axes(op: Attention, site: Site, index: int, scores: Shape) -> Term:
    """Queries, keys or values as `[batch, heads, length, features]`; all have one batch."""
    x, shape = term(site, index), site.given[index].shape
    ahead = scores[:-2]
    if index != Q and op.grouped(site.given):
        if _shares(op, site):
            ahead = (*ahead[:-1], shape[-3])
        else:
            x, shape = _repeated(x, shape, scores[-3])
    return _reshaped(_expanded(x, shape, (*ahead, *shape[-2:])), (*ahead, *shape[-2:]))


def _shares(op: Attention, site: Site) -> bool:
    """Whether ONNX can be left to group heads: it tells heads by four axes, and has as many of keys as of values."""
    q, k, v = site.given.types[:MASK]
    return max(t.rank for t in (q, k, v)) > 3 and bool(site.given.facts.equal(k.shape[-3], v.shape[-3]))


def _repeated(x: Term, shape: Shape, heads: Dim) -> tuple[Term, Shape]:
    """Each head as often as there are queries that share it."""
    *before, fewer, length, width = shape
    site = x.site
    apart = site.add("Unsqueeze", [x.name, site.ints([len(before) + 1])])
    many = site.add("Expand", [apart, site.ints((*before, fewer, heads // fewer, length, width))])
    whole = (*before, heads, length, width)
    return Term(site, site.add("Reshape", [many, site.shape(whole)]), x.dtype), whole


def _expanded(x: Term, shape: Shape, wanted: Shape) -> Term:
    return x if shape == wanted else Term(x.site, x.site.add("Expand", [x.name, x.site.ints(wanted)]), x.dtype)


def _reshaped(x: Term, shape: Shape) -> Term:
    """With four axes. One before the matrices is the batch, the heads are then one."""
    site = x.site
    if len(shape) == 4:
        return x
    if len(shape) > 4:
        return Term(site, site.add("Reshape", [x.name, site.shape((numel(shape[:-3]), *shape[-3:]))]), x.dtype)
    return Term(site, site.add("Unsqueeze", [x.name, site.ints([1] if len(shape) == 3 else [0, 1])]), x.dtype)


def _mask(site: Site, scores: Shape, q: Term) -> str:
    """ONNX Runtime lets a mask stretch along the batch and the heads only."""
    mask, shape = term(site, MASK), site.given[MASK].shape
    mask = mask if mask.dtype == BOOL else mask.cast(q.dtype)
    ahead = scores[:-2] if len(scores) > 4 else shape[:-2]
    wanted = (*ahead, *scores[-2:])
    mask = _expanded(mask, shape, wanted)
    return mask.name if len(wanted) == 2 or len(scores) == 4 else _reshaped(mask, wanted).name
