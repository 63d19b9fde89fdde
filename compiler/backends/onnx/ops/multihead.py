"""Multi-head attention in ONNX: products with the projections around the operator Attention, or, where the weights are a result too, around
its steps."""

from __future__ import annotations

from math import sqrt

import numpy as np

from ....dims import Dim
from ....ops.multihead import MultiheadAttention
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, INT64
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr
from .attention import added, composed, scaled, seen


@emits(MultiheadAttention, onnx="MatMul and Attention")
def multihead_attention(op: MultiheadAttention, site: Site) -> tuple[str, ...]:
    q, k, v = (TensorExpr(site, name, site.given.query.dtype) for name in _Projections(op, site).all())
    masks = _Masks(op, site)
    apart = len(site.results) > 1 or (masks.any and q.dtype == FLOAT64) or not site.has("Attention")
    found, *weights = (_composed if apart else _whole)(op, site, (q, k, v), masks)
    result = _product(site, found, site.parameter("out_proj.weight"))
    if op.bias:
        result = site.add("Add", [result, site.parameter("out_proj.bias")])
    results = (result, *weights)[: len(site.results)]
    if site.given.query.rank == 3:
        return results
    batch = site.ints([0])
    return tuple(site.add("Squeeze", [name, batch]) for name in results)


Three = tuple[TensorExpr, TensorExpr, TensorExpr]
"""Queries, keys and values."""


def _whole(op: MultiheadAttention, site: Site, three: Three, masks: _Masks) -> tuple[str, ...]:
    q, scale = scaled(three[0], None, site.given.query.shape[-1] // op.heads)
    mask = masks.all(causal=op.causal and masks.needed)
    names = [t.name for t in (q, *three[1:], *([mask] if mask is not None else []))]
    causal = op.causal and mask is None
    heads = {"q_num_heads": op.heads, "kv_num_heads": op.heads}
    return (site.add("Attention", names, **heads, is_causal=int(causal) or None, scale=scale),)


def _composed(op: MultiheadAttention, site: Site, three: Three, masks: _Masks) -> tuple[str, ...]:
    """The result, and the weights. Where the weights are a result, PyTorch makes NaN of the rows that see nothing."""
    width = site.given.query.shape[-1] // op.heads
    assert isinstance(width, int), "sizes of parameters are known"
    shape = TensorExpr(site, site.ints([0, 0, op.heads, width]), INT64)
    q, k, v = (t.op("Reshape", shape).op("Transpose", perm=[0, 2, 1, 3]) for t in (three[0] * sqrt(1 / width), *three[1:]))
    found, weights = composed(q, k, v, masks.all(causal=op.causal), blind=len(site.results) == 1)
    joined = site.add("Reshape", [found.op("Transpose", perm=[0, 2, 1, 3]).name, site.ints([0, 0, op.heads * width])])
    if op.average_attn_weights:
        return joined, site.add("ReduceMean", [weights.name, site.ints([1])], keepdims=0)
    return joined, weights.name


def _product(site: Site, x: str, weight: str) -> str:
    return site.add("MatMul", [x, site.add("Transpose", [weight], perm=[1, 0])])


class _Masks:
    """The masks as one: bool, true where a query may see a key, or floating-point and added; `[N or 1, heads or 1, L, S]` or `[L, S]`."""

    def __init__(self, op: MultiheadAttention, site: Site) -> None:
        self.op, self.site = op, site
        query, key = site.given.query, site.given[op.keys(site.given)]
        self.dtype = query.dtype
        self.batch: Dim = query.shape[0] if query.rank == 3 else 1
        self.length, self.keys = query.shape[-2], key.shape[-2]
        self.ends_together = op.ends_together(site.given, "query", op.keys(site.given))

    @property
    def needed(self) -> bool:
        """Whether Attention's own way of being causal will not do."""
        return "padding" in self.site.given or bool(self.op.added) or self.ends_together

    @property
    def any(self) -> bool:
        return bool(self.op.masks(self.site.given))

    def all(self, causal: bool) -> TensorExpr | None:
        masks = [*self._of_queries(), *([self._causal()] if causal else []), *self._of_keys()]
        if not masks:
            return None
        whole = masks[0]
        for mask in masks[1:]:
            whole = whole.op("And", mask) if whole.dtype == mask.dtype == BOOL else added(whole, self.dtype) + added(mask, self.dtype)
        if "padding" in self.site.given and len(masks) == 1:
            # ONNX Runtime lets a mask stretch along the batch and the heads only.
            whole = whole.op("Expand", TensorExpr(self.site, self.site.ints([self.batch, 1, self.length, self.keys]), INT64))
        return self._widened(whole) if self.op.added else whole

    def _of_queries(self) -> list[TensorExpr]:
        if "attn_mask" not in self.site.given:
            return []
        mask = self._seen("attn_mask")
        if self.site.given.attn_mask.rank == 2:
            return [mask]
        shape = self.site.shape((self.batch, self.op.heads, self.length, self.keys))
        return [TensorExpr(self.site, self.site.add("Reshape", [mask.name, shape]), mask.dtype)]

    def _of_keys(self) -> list[TensorExpr]:
        if "padding" not in self.site.given:
            return []
        mask = self._seen("padding")
        axes = [1, 2] if self.site.given.padding.rank == 2 else [0, 1, 2]
        return [mask.op("Unsqueeze", TensorExpr(self.site, self.site.ints(axes), INT64))]

    def _seen(self, name: str) -> TensorExpr:
        """PyTorch's module has true where a query may not see a key."""
        mask = self.site[name]
        return mask.negation() if mask.dtype == BOOL else mask.cast(self.dtype)

    def _causal(self) -> TensorExpr:
        offset = self.keys - self.length if self.ends_together else 0
        return TensorExpr(self.site, seen(self.site, self.length, self.keys, offset), BOOL)

    def _widened(self, mask: TensorExpr) -> TensorExpr:
        """What is added to the keys is seen by all queries."""
        seen = self.site.scalar(True if mask.dtype == BOOL else 0.0, mask.dtype)
        names = [mask.name, self.site.ints([0, self.op.added]), seen, self.site.ints([-1])]
        return TensorExpr(self.site, self.site.add("Pad", names), mask.dtype)


class _Projections:
    """The projections of queries, keys and values: as few products as there are different inputs."""

    def __init__(self, op: MultiheadAttention, site: Site) -> None:
        self.op, self.site = op, site
        self.features: Dim = site.given.query.shape[-1]
        self.batch: Dim = site.given.query.shape[0]
        self.inputs = {name: site[name].name for name in ("query", "key", "value") if name in site.given}
        if site.given.query.rank == 2:
            self.batch = 1
            self.inputs = {name: site.add("Unsqueeze", [tensor, site.ints([0])]) for name, tensor in self.inputs.items()}

    def all(self) -> tuple[str, str, str]:
        q, k, v = self._given()
        if self.op.add_bias_kv:
            k, v = (self._with(x, self.site.parameter(f"bias_{part}")) for x, part in ((k, "k"), (v, "v")))
        if self.op.add_zero_attn:
            zeros = self.site.constant(np.zeros((1, 1, 1), numpy_dtype(self.site.given.query.dtype)))
            k, v = self._with(k, zeros), self._with(v, zeros)
        return q, k, v

    def _with(self, x: str, last: str) -> str:
        """One key or value more, the same for all samples."""
        row = self.site.add("Expand", [last, self.site.ints([self.batch, 1, self.features])])
        return self.site.add("Concat", [x, row], axis=1)

    def _given(self) -> tuple[str, str, str]:
        if not self.op.joint(self.site.given):
            weights = [self.site.parameter(f"{part}_proj_weight") for part in "qkv"]
            return self._apart(weights)
        weight = self.site.parameter("in_proj_weight")
        if len(self.inputs) == 1:
            return self._split(self._biased(self._product("query", weight), "in_proj_bias"), axis=-1)
        return self._apart(list(self._split(weight, axis=0)))

    def _apart(self, weights: list[str]) -> tuple[str, str, str]:
        biases = list(self._split(self.site.parameter("in_proj_bias"), axis=0)) if self.op.bias else ["", "", ""]
        given = self.site.given
        inputs = ("query", self.op.keys(given), self.op.values(given))
        q, k, v = (self._plus(self._product(i, w), b) for i, w, b in zip(inputs, weights, biases, strict=True))
        return q, k, v

    def _product(self, name: str, weight: str) -> str:
        return _product(self.site, self.inputs[name], weight)

    def _plus(self, x: str, bias: str) -> str:
        return self.site.add("Add", [x, bias]) if bias else x

    def _biased(self, x: str, name: str) -> str:
        return self._plus(x, self.site.parameter(name) if self.op.bias else "")

    def _split(self, x: str, axis: int) -> tuple[str, str, str]:
        a, b, c = self.site.add_many("Split", [x], 3, axis=axis, num_outputs=3)
        return a, b, c
