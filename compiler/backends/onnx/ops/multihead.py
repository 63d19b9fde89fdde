"""Emit multi-head attention as projections around the operator Attention, or around its steps if the weights are a result too.

>>> import netc
>>> [node.op_type for node in netc.compile("x = input [5, 8]; (x, x, x) -> multihead_attention heads=2").onnx().graph.node]
['MatMul', 'Add', 'MatMul', 'Add', 'MatMul', 'Add', 'Attention', 'MatMul', 'Add']
"""

from __future__ import annotations

from math import sqrt

import numpy as np

from ....dims import Dim
from ....ops.multihead import MultiheadAttention
from ....types.numpy_types import numpy_dtype
from ....types.tensor_types import BOOL, INT64
from ..onnx_emitters import Site, emits
from ..tensor_expressions import FLOAT64, TensorExpr
from .attention import compose_attention, make_causal_mask, raise_lowest, scale_queries, to_additive_mask


@emits(MultiheadAttention, onnx="MatMul and Attention")
def emit_multihead_attention(op: MultiheadAttention, site: Site) -> tuple[str, ...]:
    q, k, v = (TensorExpr(site, name, site.given.query.dtype) for name in _Projections(op, site).emit_projections())
    masks = _Masks(op, site)
    # Attention does not return the weights, and ONNX Runtime has no kernel for a mask in float64.
    apart = len(site.results) > 1 or (masks.has_any and q.dtype == FLOAT64) or not site.has("Attention")
    attended, *weights = (_emit_composed if apart else _emit_fused)(op, site, (q, k, v), masks)
    result = _project(site, attended, site.parameter("out_proj.weight"))
    if op.bias:
        result = site.add("Add", [result, site.parameter("out_proj.bias")])
    results = (result, *weights)[: len(site.results)]
    if site.given.query.rank == 3:
        return results
    batch = site.ints([0])
    return tuple(site.add("Squeeze", [name, batch]) for name in results)


QueryKeyValue = tuple[TensorExpr, TensorExpr, TensorExpr]
"""Queries, keys and values."""


def _emit_fused(op: MultiheadAttention, site: Site, three: QueryKeyValue, masks: _Masks) -> tuple[str, ...]:
    q, scale = scale_queries(three[0], None, site.given.query.shape[-1] // op.heads)
    mask = masks.merge_masks(causal=op.causal and masks.needs_explicit_causal)
    mask = mask if mask is None or mask.dtype == BOOL else raise_lowest(mask)
    names = [t.name for t in (q, *three[1:], *([mask] if mask is not None else []))]
    causal = op.causal and mask is None
    heads = {"q_num_heads": op.heads, "kv_num_heads": op.heads}
    return (site.add("Attention", names, **heads, is_causal=int(causal) or None, scale=scale),)


def _emit_composed(op: MultiheadAttention, site: Site, three: QueryKeyValue, masks: _Masks) -> tuple[str, ...]:
    """Emit the steps of attention, and return the result and the weights."""
    # If the weights are a result, PyTorch gives NaN for rows that see no key, so `blind` is off.
    width = site.given.query.shape[-1] // op.heads
    assert isinstance(width, int), "sizes of parameters are known"
    shape = TensorExpr(site, site.ints([0, 0, op.heads, width]), INT64)
    q, k, v = (t.op("Reshape", shape).op("Transpose", perm=[0, 2, 1, 3]) for t in (three[0] * sqrt(1 / width), *three[1:]))
    attended, weights = compose_attention(q, k, v, masks.merge_masks(causal=op.causal), blind=len(site.results) == 1)
    joined = site.add("Reshape", [attended.op("Transpose", perm=[0, 2, 1, 3]).name, site.ints([0, 0, op.heads * width])])
    if op.average_attn_weights:
        return joined, site.add("ReduceMean", [weights.name, site.ints([1])], keepdims=0)
    return joined, weights.name


def _project(site: Site, x: str, weight: str) -> str:
    return site.add("MatMul", [x, site.add("Transpose", [weight], perm=[1, 0])])


class _Masks:
    """The masks merged into one: bool, true where a query may see a key, or floats to be added; `[N or 1, heads or 1, L, S]` or `[L,
    S]`."""

    def __init__(self, op: MultiheadAttention, site: Site) -> None:
        self.op, self.site = op, site
        query, key = site.given.query, site.given[op.key_input(site.given)]
        self.dtype = query.dtype
        self.batch: Dim = query.shape[0] if query.rank == 3 else 1
        self.length, self.keys = query.shape[-2], key.shape[-2]
        self.ends_together = op.ends_together(site.given, "query", op.key_input(site.given))

    @property
    def needs_explicit_causal(self) -> bool:
        """Whether Attention's own `is_causal` does not fit."""
        return "padding" in self.site.given or bool(self.op.added) or self.ends_together

    @property
    def has_any(self) -> bool:
        return bool(self.op.mask_inputs(self.site.given))

    def merge_masks(self, causal: bool) -> TensorExpr | None:
        masks = [*self._list_query_masks(), *([self._make_causal()] if causal else []), *self._list_key_masks()]
        if not masks:
            return None
        merged = masks[0]
        for mask in masks[1:]:
            merged = (
                merged.op("And", mask)
                if merged.dtype == mask.dtype == BOOL
                else to_additive_mask(merged, self.dtype) + to_additive_mask(mask, self.dtype)
            )
        if "padding" in self.site.given and len(masks) == 1:
            # ONNX Runtime broadcasts a mask along the batch and the heads only.
            merged = merged.op("Expand", TensorExpr(self.site, self.site.ints([self.batch, 1, self.length, self.keys]), INT64))
        return self._pad_added_keys(merged) if self.op.added else merged

    def _list_query_masks(self) -> list[TensorExpr]:
        if "attn_mask" not in self.site.given:
            return []
        mask = self._read_mask("attn_mask")
        if self.site.given.attn_mask.rank == 2:
            return [mask]
        shape = self.site.shape((self.batch, self.op.heads, self.length, self.keys))
        return [TensorExpr(self.site, self.site.add("Reshape", [mask.name, shape]), mask.dtype)]

    def _list_key_masks(self) -> list[TensorExpr]:
        if "padding" not in self.site.given:
            return []
        mask = self._read_mask("padding")
        axes = [1, 2] if self.site.given.padding.rank == 2 else [0, 1, 2]
        return [mask.op("Unsqueeze", TensorExpr(self.site, self.site.ints(axes), INT64))]

    def _read_mask(self, name: str) -> TensorExpr:
        """Read a mask. PyTorch's module has true where a query may not see a key, ONNX the opposite."""
        mask = self.site[name]
        return mask.negation() if mask.dtype == BOOL else mask.cast(self.dtype)

    def _make_causal(self) -> TensorExpr:
        offset = self.keys - self.length if self.ends_together else 0
        return TensorExpr(self.site, make_causal_mask(self.site, self.length, self.keys, offset), BOOL)

    def _pad_added_keys(self, mask: TensorExpr) -> TensorExpr:
        """Extend the mask so that all queries see the keys that the operator adds."""
        seen = self.site.scalar(True if mask.dtype == BOOL else 0.0, mask.dtype)
        names = [mask.name, self.site.ints([0, self.op.added]), seen, self.site.ints([-1])]
        return TensorExpr(self.site, self.site.add("Pad", names), mask.dtype)


class _Projections:
    """The projections of queries, keys and values, with one product for each different input."""

    def __init__(self, op: MultiheadAttention, site: Site) -> None:
        self.op, self.site = op, site
        self.features: Dim = site.given.query.shape[-1]
        self.batch: Dim = site.given.query.shape[0]
        self.inputs = {name: site[name].name for name in ("query", "key", "value") if name in site.given}
        if site.given.query.rank == 2:
            self.batch = 1
            self.inputs = {name: site.add("Unsqueeze", [tensor, site.ints([0])]) for name, tensor in self.inputs.items()}

    def emit_projections(self) -> tuple[str, str, str]:
        q, k, v = self._project_inputs()
        if self.op.add_bias_kv:
            k, v = (self._append_row(x, self.site.parameter(f"bias_{part}")) for x, part in ((k, "k"), (v, "v")))
        if self.op.add_zero_attn:
            zeros = self.site.constant(np.zeros((1, 1, 1), numpy_dtype(self.site.given.query.dtype)))
            k, v = self._append_row(k, zeros), self._append_row(v, zeros)
        return q, k, v

    def _append_row(self, x: str, last: str) -> str:
        """Append one key or value, the same for all samples."""
        row = self.site.add("Expand", [last, self.site.ints([self.batch, 1, self.features])])
        return self.site.add("Concat", [x, row], axis=1)

    def _project_inputs(self) -> tuple[str, str, str]:
        if not self.op.is_joint(self.site.given):
            weights = [self.site.parameter(f"{part}_proj_weight") for part in "qkv"]
            return self._project_separately(weights)
        weight = self.site.parameter("in_proj_weight")
        # Self-attention: one product with the joint weight, split afterwards.
        if len(self.inputs) == 1:
            return self._split_in_three(self._add_named_bias(self._multiply_input("query", weight), "in_proj_bias"), axis=2)
        return self._project_separately(list(self._split_in_three(weight, axis=0)))

    def _project_separately(self, weights: list[str]) -> tuple[str, str, str]:
        biases = list(self._split_in_three(self.site.parameter("in_proj_bias"), axis=0)) if self.op.bias else ["", "", ""]
        bound = self.site.given
        inputs = ("query", self.op.key_input(bound), self.op.value_input(bound))
        q, k, v = (self._add_bias(self._multiply_input(i, w), b) for i, w, b in zip(inputs, weights, biases, strict=True))
        return q, k, v

    def _multiply_input(self, name: str, weight: str) -> str:
        return _project(self.site, self.inputs[name], weight)

    def _add_bias(self, x: str, bias: str) -> str:
        return self.site.add("Add", [x, bias]) if bias else x

    def _add_named_bias(self, x: str, name: str) -> str:
        return self._add_bias(x, self.site.parameter(name) if self.op.bias else "")

    def _split_in_three(self, x: str, axis: int) -> tuple[str, str, str]:
        a, b, c = self.site.add_many("Split", [x], 3, axis=axis, num_outputs=3)
        return a, b, c
