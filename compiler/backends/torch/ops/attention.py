"""Attention in PyTorch."""

from __future__ import annotations

from ....dims import Dim
from ....ir.types import BOOL
from ....ops.attention import Attention
from ...python.code.expressions import Code, Device, Infix, call, lit, method
from ...python.code.tree import NameCode
from ..table import TorchSite, function


@function(Attention, torch="torch.nn.functional.scaled_dot_product_attention")
def attention(op: Attention, site: TorchSite) -> Code:
    masks: dict[str, object] = {}
    if op.window is not None:
        masks = {"attn_mask": _window(op.window, site.given.q.shape[-2])}
    elif "mask" in site.given:
        masks = {"attn_mask": site.mask}
    if op.dropout:
        masks["dropout_p"] = Infix("*", lit(float(op.dropout), "dropout"), NameCode("self.training"))
    return call(
        "F.scaled_dot_product_attention",
        site.q,
        site.k,
        site.v,
        **masks,
        is_causal=(op.causal and op.window is None, False),
        scale=(op.scale, None),
        enable_gqa=(op.grouped(site.given), False),
    )


def _window(window: int, length: Dim) -> Code:
    """True where `i - window < j <= i`."""
    ones = call("torch.ones", lit(length, "length"), lit(length, "length"), dtype=BOOL, device=Device())
    return method(method(ones, "tril"), "triu", lit(1 - window, "diagonal"))
