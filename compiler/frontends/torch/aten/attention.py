"""Reads attention: `F.scaled_dot_product_attention(q, k, v, is_causal=True)` becomes `attention causal=true`."""

from __future__ import annotations

from typing import Any

from ....ir.graph_values import Value
from ...graph_builder import ImportRefused
from ..aten_site import AtenSite
from ..aten_table import reads
from ..opaque import ATTENTION_PARAMETERS
from .regularization import refuse_in_evaluation


@reads("scaled_dot_product_attention")
def read_attention(site: AtenSite) -> Value:
    q, k, v = (site.tensor(name) for name in ("query", "key", "value"))
    arguments: dict[str, Any] = {}
    if site.has_argument("scale"):
        scale = site.number("scale")
        features = q.type.shape[-1]
        # The usual scale, `1 / sqrt(d)`, is the operator's default.
        if not isinstance(features, int) or abs(float(scale) * features**0.5 - 1) > 1e-12:  # type: ignore[arg-type]
            arguments["scale"] = scale
    if site.number("dropout_p"):
        if not site.scope.model.training:
            refuse_in_evaluation("dropout_p=p if self.training else 0.0")
        arguments["dropout"] = site.number("dropout_p")
    if site.args["is_causal"]:
        arguments["causal"] = True
        # PyTorch's `is_causal` aligns the first query with the first key. netc asks for `align` where the lengths may differ.
        if not site.scope.model.facts.are_equal(q.type.shape[-2], k.type.shape[-2]):
            arguments["align"] = "start"
    heads = [tensor.type.shape[-3] if tensor.type.rank > 2 else 1 for tensor in (q, k)]
    # netc's attention always groups heads, which PyTorch does only if it is asked to.
    if not site.args.get("enable_gqa") and heads[0] != 1 and heads[1] not in (1, heads[0]):
        raise ImportRefused("has other numbers of heads")
    if not site.has_argument("attn_mask"):
        return site.apply_op("attention", q, k, v, **arguments)
    mask = site.tensor("attn_mask")
    if mask.type.rank == 1:
        mask = site.apply_op("unsqueeze", mask, axis=0)
    return site.apply_op("attention", q, k, v, mask, named=("mask",), **arguments)


@reads("multihead_attention")
def read_multihead_attention(site: AtenSite) -> tuple[Value, ...]:
    """Read nn.MultiheadAttention. Its operator (opaque.py) has the batch as its first axis."""
    slots = {name: node for name, node in zip(ATTENTION_PARAMETERS, site.args["params"], strict=True) if node is not None}
    names = ["query", "key", "value"]
    # A single input is self-attention, and two are queries with one source of keys and values.
    if all(site.args[name] is site.args["query"] for name in names):
        names = ["query"]
    elif site.args["key"] is site.args["value"]:
        names = ["query", "key"]
    # The keys are PyTorch's names of the masks, the values netc's.
    masks = {name: operand for name, operand in (("attn_mask", "attn_mask"), ("key_padding_mask", "padding")) if site.has_argument(name)}
    result = site.try_layer_with_slots(
        "multihead_attention",
        *(site.tensor(name) for name in (*names, *masks)),
        slots=slots,
        statistics=True,
        named=tuple(masks.values()),
        heads=site.integer("num_heads"),
        bias="in_proj_bias" in slots,
        dropout=site.number("dropout"),
        add_bias_kv="bias_k" in slots,
        add_zero_attn=site.args["add_zero_attn"],
        average_attn_weights=site.args["average_attn_weights"],
    )
    if result is None:
        raise ImportRefused("has weights that are no parameters of its own")
    return result
