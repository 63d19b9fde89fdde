"""Writes multi-head attention in PyTorch: the module, called with the masks in the form that it takes.

For example, `multihead_attention heads=2` of 8 features becomes `nn.MultiheadAttention(8, 2, batch_first=True)`.
"""

from __future__ import annotations

from ....ops.multihead import MultiheadAttention
from ....types.tensor_types import BOOL
from ...python.code.python_expressions import (
    AttributeCode,
    Code,
    Default,
    Lit,
    SelfMember,
    Subscript,
    call_function,
    call_method,
    to_code,
)
from ...python.lowering.lowered_operators import CausalMask, CausalMultiheadAttention
from ..torch_emitters import TorchSite, function, invocation, module
from ..torch_framework import DEVICE, get_torch_dtype
from .torch_layers import construct_layer


@module(MultiheadAttention, CausalMultiheadAttention, target="torch.nn.MultiheadAttention")
def emit_multihead_attention(op: MultiheadAttention, site: TorchSite) -> Code:
    return construct_layer("nn.MultiheadAttention", op, site, batch_first=True)


@invocation(MultiheadAttention, CausalMultiheadAttention)
def emit_multihead_attention_call(op: MultiheadAttention, site: TorchSite) -> Code:
    weights = len(site.results) > 1
    options: dict[str, object] = {}
    if "padding" in site.given:
        options["key_padding_mask"] = _emit_mask(site, "padding", weights)
    if "attn_mask" in site.given:
        options["attn_mask"] = _emit_mask(site, "attn_mask", weights)
    # With `is_causal` and no other mask, PyTorch may leave the mask out: so not where keys are added, which all queries see, or where
    # queries and keys end together.
    ends = op.ends_together(site.given, "query", op.key_input(site.given))
    if op.causal and "padding" not in site.given and not op.added and not weights and not ends:
        options["is_causal"] = True
    if weights and not op.average_attn_weights:
        options["average_attn_weights"] = False
    tensors = (site.query, site[op.key_input(site.given)], site[op.value_input(site.given)])
    # The module always returns a pair; `need_weights=False` makes the second item None, and allows the fused kernel.
    results = call_function(SelfMember(), *tensors, **options, need_weights=Default(weights, True))
    return results if weights else Subscript(results, (Lit(0),))


def _emit_mask(site: TorchSite, name: str, weights: bool) -> Code:
    """Write a mask. Where the weights are results, it must have the type of the queries."""
    dtype, wanted = site.given[name].dtype, site.given.query.dtype
    return call_method(site[name], "to", AttributeCode(site.query, "dtype")) if weights and dtype not in (BOOL, wanted) else site[name]


@function(CausalMask)
def emit_causal_mask(op: CausalMask, site: TorchSite) -> Code:
    length, span = Lit(op.length, "length"), Lit(op.span, "span")
    like = site.get("x")
    # PyTorch has a function for this mask only if queries and keys are equally many.
    if like is not None:
        options = {name: AttributeCode(like, name) for name in ("device", "dtype")}
        return call_function("nn.Transformer.generate_square_subsequent_mask", length, **options)
    return call_method(
        call_function("torch.ones", length, span, dtype=get_torch_dtype(BOOL), device=DEVICE), "triu", to_code(op.offset + 1, "diagonal")
    )
