"""Attention in PyTorch."""

from __future__ import annotations

from ....dims import Dim
from ....ops.attention import MASK, Attention
from ....ops.multihead import MultiheadAttention
from ....types import BOOL
from ..code import Code, Device, Infix, Lit, Own, Ref, Subscript, call, construct, dtype_keyword, lit, method
from ..table import Site, function, invocation, module
from ..tree import Name


@function(Attention)
def attention(op: Attention, site: Site) -> Code:
    masks: dict[str, object] = {}
    if op.window is not None:
        masks = {"attn_mask": _window(op.window, site.given[0].shape[-2])}
    elif len(site.given) > MASK:
        masks = {"attn_mask": Ref(MASK)}
    if op.dropout:
        masks["dropout_p"] = Infix("*", lit(float(op.dropout), "dropout"), Name("self.training"))
    return call(
        "F.scaled_dot_product_attention",
        Ref(0),
        Ref(1),
        Ref(2),
        **masks,
        is_causal=(op.causal and op.window is None, False),
        scale=(op.scale, None),
        enable_gqa=(op.grouped(site.given), False),
    )


def _window(window: int, length: Dim) -> Code:
    """True at the places `i - window < j <= i`."""
    ones = call("torch.ones", lit(length, "length"), lit(length, "length"), dtype=BOOL, device=Device())
    return method(method(ones, "tril"), "triu", lit(1 - window, "diagonal"))


@module(MultiheadAttention)
def multihead_attention(op: MultiheadAttention, site: Site) -> Code:
    features, keys, values = op.sizes(site.given)
    others = {} if op.joint(site.given) else {"kdim": (keys, features), "vdim": (values, features)}
    return construct(
        "nn.MultiheadAttention",
        {"embed_dim": features, "num_heads": op.heads},
        dropout=(op.dropout, 0.0),
        bias=(op.bias, True),
        **others,
        batch_first=True,
        dtype=dtype_keyword(site.given[0].dtype),
    )


@invocation(MultiheadAttention)
def multihead_attention_invocation(op: MultiheadAttention, site: Site) -> Code:
    roles = op.roles(site.given)
    options: dict[str, object] = {}
    if roles.mask is not None:
        options = {"attn_mask": Ref(roles.mask)}
    elif op.causal:
        options = {"attn_mask": _causal_mask(op, site), "is_causal": True}
    whole = call(Own(), Ref(roles.query), Ref(roles.key), Ref(roles.value), **options, need_weights=False)
    return Subscript(whole, (Lit(0),))


def _causal_mask(op: MultiheadAttention, site: Site) -> Code:
    """The module wants the mask although it is told that it is causal."""
    query, key = site.given[0], site.given[op.roles(site.given).key]
    length, span = query.shape[1], key.shape[1]
    if site.given.facts.equal(length, span):
        dtype = dtype_keyword(query.dtype)
        return call("nn.Transformer.generate_square_subsequent_mask", Lit(length, "length"), device=Device(), dtype=dtype)
    ones = call("torch.ones", Lit(length, "length"), Lit(span, "span"), dtype=BOOL, device=Device())
    return method(ones, "triu", 1)
