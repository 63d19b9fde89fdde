"""Multi-head attention in PyTorch: the module, called with what it wants to know of masks."""

from __future__ import annotations

from ....ir.types import BOOL
from ....ops.multihead import MultiheadAttention
from ..code import Code, Device, Lit, Ref, SelfMember, Subscript, call, construct, dtype_keyword, method
from ..table import TorchSite, invocation, module


@module(MultiheadAttention)
def multihead_attention(op: MultiheadAttention, site: TorchSite) -> Code:
    features, keys, values = op.sizes(site.given)
    others = {} if op.joint(site.given) else {"kdim": (keys, features), "vdim": (values, features)}
    return construct(
        "nn.MultiheadAttention",
        {"embed_dim": features, "num_heads": op.heads},
        dropout=(op.dropout, 0.0),
        bias=(op.bias, True),
        add_bias_kv=(op.add_bias_kv, False),
        add_zero_attn=(op.add_zero_attn, False),
        **others,
        batch_first=True,
        dtype=dtype_keyword(site.given[0].dtype),
    )


@invocation(MultiheadAttention)
def multihead_attention_invocation(op: MultiheadAttention, site: TorchSite) -> Code:
    roles = op.roles(site.given)
    weights = len(site.results) > 1
    options: dict[str, object] = {}
    if roles.padding is not None:
        options["key_padding_mask"] = _mask(site, roles.padding, weights)
    if roles.mask is not None:
        options["attn_mask"] = _mask(site, roles.mask, weights)
    elif op.causal:
        # Told that the mask is causal and nothing else, PyTorch may leave it out: so not where keys are added, which all queries see.
        alone = roles.padding is None and not op.added and not weights
        options |= {"attn_mask": _causal_mask(op, site), **({"is_causal": True} if alone else {})}
    if weights and not op.average_attn_weights:
        options["average_attn_weights"] = False
    whole = call(SelfMember(), Ref(roles.query), Ref(roles.key), Ref(roles.value), **options, need_weights=(weights, True))
    return whole if weights else Subscript(whole, (Lit(0),))


def _mask(site: TorchSite, index: int, weights: bool) -> Code:
    """What gives weights wants masks of the type of the queries."""
    dtype, wanted = site.given[index].dtype, site.given[0].dtype
    return method(Ref(index), "to", wanted) if weights and dtype not in (BOOL, wanted) else Ref(index)


def _causal_mask(op: MultiheadAttention, site: TorchSite) -> Code:
    """The module wants the mask although it is told that it is causal. It wants both masks to be bool, or none."""
    roles = op.roles(site.given)
    query, key = site.given[0], site.given[roles.key]
    length, span = query.shape[-2], key.shape[-2]
    with_bool = roles.padding is not None and site.given[roles.padding].dtype == BOOL
    if site.given.facts.equal(length, span) and not with_bool:
        dtype = dtype_keyword(query.dtype)
        return call("nn.Transformer.generate_square_subsequent_mask", Lit(length, "length"), device=Device(), dtype=dtype)
    ones = call("torch.ones", Lit(length, "length"), Lit(span, "span"), dtype=BOOL, device=Device())
    return method(ones, "triu", 1)
