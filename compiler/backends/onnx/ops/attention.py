"""Attention in ONNX: the operator of that name, which takes `[batch, heads, length, features]` or, with the heads told apart by
attributes, `[batch, length, heads * features]`."""

from __future__ import annotations

import numpy as np

from ....dims import Dim
from ....ops.attention import MASK, Attention, K, Q, V
from ....ops.base import numel
from ....ops.multihead import MultiheadAttention
from ....types import BOOL, INT64, Shape
from ..table import Site, emits
from ..terms import FLOAT64, Term, term


@emits(Attention)
def attention(op: Attention, site: Site) -> str:
    scores = op.scores(site.given)
    q, k, v = (_four_axes(op, site, index, scores) for index in (Q, K, V))
    q, scale = _scaled(q, op.scale, site.given[Q].shape[-1])
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


def _scaled(q: Term, scale: float | None, features: Dim) -> tuple[Term, float | None]:
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
        ahead = (*ahead[:-1], shape[-3])
    return _reshaped(_expanded(x, shape, (*ahead, *shape[-2:])), (*ahead, *shape[-2:]))


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


# --- with projections ------------------------------------------------------------------------------------------------------


@emits(MultiheadAttention)
def multihead_attention(op: MultiheadAttention, site: Site) -> str:
    q, k, v = _Projections(op, site).all()
    scaled, scale = _scaled(Term(site, q, site.given[0].dtype), None, site.given[0].shape[-1] // op.heads)
    names = [scaled.name, k, v]
    roles = op.roles(site.given)
    if roles.mask is not None:
        names.append(_module_mask(op, site, roles.mask))
    heads = {"q_num_heads": op.heads, "kv_num_heads": op.heads}
    found = site.add("Attention", names, **heads, is_causal=int(op.causal) or None, scale=scale)
    result = _product(site, found, site.parameter("out_proj.weight"))
    return site.add("Add", [result, site.parameter("out_proj.bias")]) if op.bias else result


def _product(site: Site, x: str, weight: str) -> str:
    return site.add("MatMul", [x, site.add("Transpose", [weight], perm=[1, 0])])


def _module_mask(op: MultiheadAttention, site: Site, index: int) -> str:
    """PyTorch's module has true where a query may not see a key."""
    mask, shape = term(site, index), site.given[index].shape
    name = mask.negation().name if mask.dtype == BOOL else mask.cast(site.given[0].dtype).name
    if len(shape) == 2:
        return name
    return site.add("Reshape", [name, site.shape((site.given[0].shape[0], op.heads, *shape[1:]))])


class _Projections:
    """The projections of queries, keys and values: as few products as there are different inputs."""

    def __init__(self, op: MultiheadAttention, site: Site) -> None:
        self.op, self.site = op, site
        self.roles = op.roles(site.given)
        self.features: Dim = site.given[0].shape[-1]

    def all(self) -> tuple[str, str, str]:
        if not self.op.joint(self.site.given):
            weights = [self.site.parameter(f"{part}_proj_weight") for part in "qkv"]
            return self._apart(weights)
        weight = self.site.parameter("in_proj_weight")
        if self.roles.value == 0:
            return self._split(self._biased(self._product(0, weight), "in_proj_bias"), axis=-1)
        return self._apart(list(self._split(weight, axis=0)))

    def _apart(self, weights: list[str]) -> tuple[str, str, str]:
        biases = list(self._split(self.site.parameter("in_proj_bias"), axis=0)) if self.op.bias else ["", "", ""]
        inputs = (self.roles.query, self.roles.key, self.roles.value)
        q, k, v = (self._plus(self._product(i, w), b) for i, w, b in zip(inputs, weights, biases, strict=True))
        return q, k, v

    def _product(self, index: int, weight: str) -> str:
        return _product(self.site, self.site.inputs[index], weight)

    def _plus(self, x: str, bias: str) -> str:
        return self.site.add("Add", [x, bias]) if bias else x

    def _biased(self, x: str, name: str) -> str:
        return self._plus(x, self.site.parameter(name) if self.op.bias else "")

    def _split(self, x: str, axis: int) -> tuple[str, str, str]:
        a, b, c = self.site.add_many("Split", [x], 3, axis=axis, num_outputs=3)
        return a, b, c
