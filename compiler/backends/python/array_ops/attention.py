"""Writes attention and rotary position embedding, by the definitions of the framework's library."""

from __future__ import annotations

from ....ops.attention import Attention
from ....ops.multihead import MultiheadAttention
from ....ops.rotary import Rotary
from ....types.traced_ints import has_origin
from ..code.class_tree import NameCode
from ..code.python_expressions import (
    AttributeCode,
    Code,
    Default,
    Lit,
    SelfMember,
    SliceCode,
    Subscript,
    TupleCode,
    call_function,
    construct_module,
    to_code,
)
from ..lowering.lowered_operators import CausalMultiheadAttention, OpenRotaryAngles, RotaryAngles, Rotate
from .array_emitters import ARRAY, ArraySite


def _list_options(op: Attention, site: ArraySite) -> dict[str, object]:
    mask = {"mask": _emit_mask(site)} if "mask" in site.given else {}
    return {**mask, "is_causal": Default(op.causal, False), "scale": Default(op.scale, None)}


def _emit_mask(site: ArraySite) -> Code:
    """Add a batch axis to a mask for each head."""
    rank, mask_rank = site.given.q.rank, site.given.mask.rank
    return Subscript(site.mask, (Lit(None),)) if (rank, mask_rank) == (4, 3) else site.mask


@ARRAY.function(Attention, target="{nn}.softmax and matrix products")
def emit_attention(op: Attention, site: ArraySite) -> Code:
    return call_function("attention", site.q, site.k, site.v, **_list_options(op, site))


@ARRAY.module(Attention)
def emit_attention_module(op: Attention, site: ArraySite) -> Code:
    return construct_module("Attention", {"dropout": op.dropout}, **site.words.draws)


@ARRAY.invocation(Attention)
def emit_attention_call(op: Attention, site: ArraySite) -> Code:
    return call_function(SelfMember(), site.q, site.k, site.v, **_list_options(op, site))


# Dropout needs random numbers of its own, so attention with it is a module.
ARRAY.members[Attention] = lambda op: bool(op.dropout) or has_origin(op.dropout)


@ARRAY.invocation(MultiheadAttention, CausalMultiheadAttention)
def emit_multihead_attention_call(op: MultiheadAttention, site: ArraySite) -> Code:
    options: dict[str, object] = {}
    if "padding" in site.given:
        options["key_padding_mask"] = site.padding
    if "attn_mask" in site.given:
        options["attn_mask"] = site.attn_mask
    tensors = (site.query, site[op.key_input(site.given)], site[op.value_input(site.given)])
    weights = Default(len(site.results) > 1, False)
    return call_function(
        SelfMember(), *tensors, **options, need_weights=weights, average_attn_weights=Default(op.average_attn_weights, True)
    )


ARRAY.name_expanded(Rotary, target="{array}.cos and sin")


@ARRAY.function(RotaryAngles, OpenRotaryAngles)
def emit_rotary_angles(op: RotaryAngles, site: ArraySite) -> Code:
    if "positions" not in site.given:
        positions: Code = site.words.call("arange", to_code(op.length, "length"))
    else:
        positions = Subscript(site.positions, (SliceCode(), *(Lit(None),) * op.between)) if op.between else site.positions
    sizes = (to_code(op.dims, "dims"), to_code(op.base, "base"))
    return call_function("rotary_angles", positions, *sizes, AttributeCode(site.x, "dtype"))


@ARRAY.function(Rotate)
def emit_rotate(op: Rotate, site: ArraySite) -> Code:
    function = "apply_rotary_interleaved" if op.interleaved else "apply_rotary"
    if op.dims is None:
        return call_function(function, site.x, site.cos, site.sin)
    rotated, rest = (
        Subscript(site.x, (NameCode("..."), piece)) for piece in (SliceCode(None, to_code(op.dims)), SliceCode(to_code(op.dims)))
    )
    return site.words.call("concatenate", TupleCode((call_function(function, rotated, site.cos, site.sin), rest)), axis=-1)
