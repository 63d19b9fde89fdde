"""Attention in PyTorch."""

from __future__ import annotations

from ....dims import Dim
from ....ir.types import BOOL
from ....ops.attention import MASK, Attention
from ..code import Code, Device, Infix, Ref, call, lit, method
from ..table import TorchSite, function
from ..tree import NameCode


@function(Attention)
def attention(op: Attention, site: TorchSite) -> Code:
    masks: dict[str, object] = {}
    if op.window is not None:
        masks = {"attn_mask": _window(op.window, site.given[0].shape[-2])}
    elif len(site.given) > MASK:
        masks = {"attn_mask": Ref(MASK)}
    if op.dropout:
        masks["dropout_p"] = Infix("*", lit(float(op.dropout), "dropout"), NameCode("self.training"))
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
